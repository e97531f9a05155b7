/// The version of this build (CHANGELOG.md).
public enum Version {
    public static let text = "0.1.0"
}
