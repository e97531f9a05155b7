/// A set of Unicode general categories, one bit each. As every scalar has exactly one category, a complement is a set too.
struct PatternCategories: OptionSet, Sendable, Hashable {
    let rawValue: UInt32

    /// The subscript of ``order`` is the bit.
    private static let order: [(Unicode.GeneralCategory, names: [String])] = [
        (.uppercaseLetter, ["Lu", "Uppercase_Letter"]), (.lowercaseLetter, ["Ll", "Lowercase_Letter"]),
        (.titlecaseLetter, ["Lt", "Titlecase_Letter"]), (.modifierLetter, ["Lm", "Modifier_Letter"]),
        (.otherLetter, ["Lo", "Other_Letter"]), (.nonspacingMark, ["Mn", "Nonspacing_Mark"]),
        (.spacingMark, ["Mc", "Spacing_Mark"]), (.enclosingMark, ["Me", "Enclosing_Mark"]),
        (.decimalNumber, ["Nd", "Decimal_Number", "digit"]), (.letterNumber, ["Nl", "Letter_Number"]),
        (.otherNumber, ["No", "Other_Number"]), (.connectorPunctuation, ["Pc", "Connector_Punctuation"]),
        (.dashPunctuation, ["Pd", "Dash_Punctuation"]), (.openPunctuation, ["Ps", "Open_Punctuation"]),
        (.closePunctuation, ["Pe", "Close_Punctuation"]), (.initialPunctuation, ["Pi", "Initial_Punctuation"]),
        (.finalPunctuation, ["Pf", "Final_Punctuation"]), (.otherPunctuation, ["Po", "Other_Punctuation"]),
        (.mathSymbol, ["Sm", "Math_Symbol"]), (.currencySymbol, ["Sc", "Currency_Symbol"]),
        (.modifierSymbol, ["Sk", "Modifier_Symbol"]), (.otherSymbol, ["So", "Other_Symbol"]),
        (.spaceSeparator, ["Zs", "Space_Separator"]), (.lineSeparator, ["Zl", "Line_Separator"]),
        (.paragraphSeparator, ["Zp", "Paragraph_Separator"]), (.control, ["Cc", "Control", "cntrl"]),
        (.format, ["Cf", "Format"]), (.surrogate, ["Cs", "Surrogate"]), (.privateUse, ["Co", "Private_Use"]),
        (.unassigned, ["Cn", "Unassigned"]),
    ]

    /// Long names of groups, by the letter that their members' names begin with.
    private static let groups: [String: String] = [
        "Letter": "L", "Mark": "M", "Combining_Mark": "M", "Number": "N", "Punctuation": "P", "punct": "P",
        "Symbol": "S", "Separator": "Z", "Other": "C", "L": "L", "M": "M", "N": "N", "P": "P", "S": "S", "Z": "Z",
        "C": "C",
    ]

    private static let bits: [Unicode.GeneralCategory: UInt32] = Dictionary(
        uniqueKeysWithValues: Self.order.enumerated().map { ($1.0, 1 << UInt32($0)) })

    static let all = PatternCategories(rawValue: (1 << UInt32(Self.order.count)) - 1)

    /// By a name of ECMA-262's: `L`, `Letter`, `gc=Lu`, `General_Category=Lu`, `Any`, `Assigned`.
    init?(name: Substring) {
        var name = String(name)
        for prefix in ["General_Category=", "gc="] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        var bits: UInt32 = 0
        if let group = Self.groups[name] {
            for (index, entry) in Self.order.enumerated() where entry.names[0].hasPrefix(group) {
                bits |= 1 << UInt32(index)
            }
        } else if name == "LC" || name == "Cased_Letter" {
            bits = 0b111
        } else if let index = Self.order.firstIndex(where: { $0.names.contains(name) }) {
            bits = 1 << UInt32(index)
        } else if name == "Any" {
            bits = Self.all.rawValue
        } else if name == "Assigned" {
            bits = Self.all.rawValue & ~Self.bits[.unassigned, default: 0]
        } else {
            return nil
        }
        self.init(rawValue: bits)
    }

    init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    var inverted: PatternCategories { Self.all.subtracting(self) }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        self.rawValue & Self.bits[scalar.properties.generalCategory, default: 0] != 0
    }
}
