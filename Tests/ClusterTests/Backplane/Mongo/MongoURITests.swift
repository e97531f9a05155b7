import Testing

@testable import Backplane

@Suite("Connection strings")
struct MongoURITests {
    @Test(
        "The password is not in what is logged",
        arguments: [
            ("mongodb://h:1/?a=b", "mongodb://h:1/?a=b"),
            ("mongodb://u:p%40ss@h1:1,h2:2/db?x=1", "mongodb://u:***@h1:1,h2:2/db?x=1"),
            ("mongodb+srv://u:p@cluster.example.org", "mongodb+srv://u:***@cluster.example.org"),
            ("mongodb://u@h", "mongodb://u@h"),
        ])
    func redaction(uri: String, expected: String) {
        #expect(MongoURI.redacted(uri) == expected)
    }

    @Test(
        "ND-10: a shard's own URI has its hosts, with the credentials and TLS of the cluster's",
        arguments: [
            (
                "mongodb://u:p@r1:1,r2:2/admin?tls=true&directConnection=false&authSource=admin",
                "mongodb://u:p@a:1,b:2/admin?tls=true&authSource=admin&replicaSet=s1"
            ),
            ("mongodb://r1:1", "mongodb://a:1,b:2/?replicaSet=s1"),
            (
                "mongodb+srv://u:p@c.example.org/?retryWrites=true",
                "mongodb://u:p@a:1,b:2/?retryWrites=true&tls=true&replicaSet=s1"
            ),
        ])
    func shard(uri: String, expected: String) {
        #expect(MongoURI.shard("s1/a:1,b:2", of: uri) == expected)
    }

    @Test("What is no connection string has no shards")
    func nonsense() {
        #expect(MongoURI.shard("s1/a:1", of: "http://x") == nil)
        #expect(MongoURI.shard("a:1", of: "mongodb://x") == nil)
    }
}
