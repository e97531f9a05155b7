/// Arithmetic on JSON's numbers without the errors of binary fractions: an integer and a number with a point are compared
/// by their values, and a number with a point counts as the shortest decimal that means it (`0.0075` is 75 times `0.0001`).
enum JSONNumber {
    /// Mantissa times ten to the power of the exponent; no sign.
    struct Decimal: Equatable {
        var mantissa: UInt64
        var exponent: Int
    }

    /// - Returns: less than, equal to or greater than 0, as `one` is to `other`; nil unless both are numbers.
    static func compare(_ one: JSONValue, _ other: JSONValue) -> Int? {
        switch (one, other) {
        case (.int(let one), .int(let other)): one < other ? -1 : one > other ? 1 : 0
        case (.double(let one), .double(let other)): one < other ? -1 : one > other ? 1 : 0
        case (.int(let one), .double(let other)): self.compare(one, other)
        case (.double(let one), .int(let other)): -self.compare(other, one)
        default: nil
        }
    }

    private static func compare(_ one: Int64, _ other: Double) -> Int {
        if other >= 0x1p63 { return -1 }
        if other < -0x1p63 { return 1 }
        let whole = other.rounded(.towardZero)
        let integer = Int64(whole)
        if one != integer { return one < integer ? -1 : 1 }
        return whole < other ? -1 : whole > other ? 1 : 0
    }

    /// As JSON has it.
    static func text(_ value: JSONValue) -> String {
        switch value {
        case .int(let value): String(value)
        case .double(let value): Int64(exactly: value).map(String.init) ?? value.description
        default: ""
        }
    }

    /// `1.0` is an integer, and so is `1e300`.
    static func isInteger(_ value: JSONValue) -> Bool {
        switch value {
        case .int: true
        case .double(let value): value.rounded(.towardZero) == value
        default: false
        }
    }

    /// A value that counts something: an integer of at least 0; what is beyond Int is its maximum.
    static func count(_ value: JSONValue) -> Int? {
        switch value {
        case .int(let value): value >= 0 ? Int(value) : nil
        case .double(let value):
            value >= 0 && value.rounded(.towardZero) == value ? (value < 0x1p62 ? Int(value) : .max) : nil
        default: nil
        }
    }

    /// - Parameter divisor: more than 0.
    static func isMultiple(_ value: JSONValue, of divisor: Decimal) -> Bool {
        guard let value = self.decimal(value) else { return false }
        guard value.mantissa != 0 else { return true }
        let shift = value.exponent - divisor.exponent
        if shift >= 0 {
            // Mantissa times ten to the shift, modulo the divisor's mantissa.
            let power = self.power(10, shift, modulo: divisor.mantissa)
            return self.multiply(value.mantissa % divisor.mantissa, power, modulo: divisor.mantissa) == 0
        }
        // The divisor has the larger exponent: it grows until it is beyond the value, or divides it.
        var mantissa = divisor.mantissa
        for _ in 0..<(-shift) {
            let (product, isOverflow) = mantissa.multipliedReportingOverflow(by: 10)
            guard !isOverflow, product <= value.mantissa else { return false }
            mantissa = product
        }
        return value.mantissa % mantissa == 0
    }

    static func decimal(_ value: JSONValue) -> Decimal? {
        switch value {
        case .int(let value): return Decimal(mantissa: value.magnitude, exponent: 0)
        case .double(let value): return self.decimal(value)
        default: return nil
        }
    }

    private static func decimal(_ value: Double) -> Decimal? {
        guard value.isFinite else { return nil }
        var decimal = Decimal(mantissa: 0, exponent: 0)
        var isFraction = false
        var rest = value.magnitude.description.utf8[...]
        // At most 17 digits: what Swift writes is the shortest text that is read as the same number.
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "e"):
                guard let exponent = Int(String(Substring(rest))) else { return nil }
                decimal.exponent += exponent
                rest = rest[rest.endIndex...]
            default:
                if isFraction { decimal.exponent -= 1 }
                let (product, isOverflow) = decimal.mantissa.multipliedReportingOverflow(by: 10)
                if isOverflow {
                    // Only zeros follow behind a number that is written in full.
                    decimal.exponent += 1
                } else {
                    decimal.mantissa = product + UInt64(byte - UInt8(ascii: "0"))
                }
            }
        }
        while decimal.mantissa != 0, decimal.mantissa % 10 == 0 {
            decimal.mantissa /= 10
            decimal.exponent += 1
        }
        return decimal
    }

    private static func power(_ base: UInt64, _ exponent: Int, modulo: UInt64) -> UInt64 {
        var (result, base, exponent) = (1 % modulo, base % modulo, exponent)
        while exponent > 0 {
            if exponent & 1 == 1 { result = self.multiply(result, base, modulo: modulo) }
            base = self.multiply(base, base, modulo: modulo)
            exponent >>= 1
        }
        return result
    }

    private static func multiply(_ one: UInt64, _ other: UInt64, modulo: UInt64) -> UInt64 {
        modulo.dividingFullWidth(one.multipliedFullWidth(by: other)).remainder
    }
}
