/// The encoder of RFC 3492, for configured names in their own script.
enum Punycode {
    private static let base = 36, tMin = 1, tMax = 26, skew = 38, damp = 700

    /// - Returns: the label without the `xn--` prefix; nil where it would overflow.
    static func encode(_ label: some StringProtocol) -> String? {
        let scalars = label.unicodeScalars.map { Int($0.value) }
        var output = scalars.filter { $0 < 0x80 }.map(UInt8.init)
        let basic = output.count
        if basic > 0 { output.append(UInt8(ascii: "-")) }
        var handled = basic
        var threshold = 0x80
        var delta = 0
        var bias = 72
        while handled < scalars.count {
            guard let next = scalars.filter({ $0 >= threshold }).min() else { return nil }
            let (step, overflow) = (next - threshold).multipliedReportingOverflow(by: handled + 1)
            guard !overflow, step < Int(Int32.max) else { return nil }
            delta += step
            threshold = next
            for scalar in scalars {
                if scalar < threshold { delta += 1 }
                guard scalar == threshold else { continue }
                var quotient = delta
                var position = self.base
                while true {
                    let limit = min(max(position - bias, self.tMin), self.tMax)
                    guard quotient >= limit else { break }
                    output.append(self.digit(limit + (quotient - limit) % (self.base - limit)))
                    quotient = (quotient - limit) / (self.base - limit)
                    position += self.base
                }
                output.append(self.digit(quotient))
                bias = self.adapt(delta, count: handled + 1, isFirst: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            threshold += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func digit(_ value: Int) -> UInt8 {
        UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30)
    }

    private static func adapt(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / self.damp : delta / 2
        delta += delta / count
        var steps = 0
        while delta > (self.base - self.tMin) * self.tMax / 2 {
            delta /= self.base - self.tMin
            steps += self.base
        }
        return steps + (self.base - self.tMin + 1) * delta / (delta + self.skew)
    }
}
