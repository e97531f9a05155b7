// mongos-standin: a TEST-ONLY stand-in for mongos, for machines that have a mongod 6.0 but no mongos. See README.md.
//
// It speaks OP_MSG to drivers as a mongos would. What it can aim at one shard (insert, update, delete, findAndModify
// and find by shard key, index and collection commands) it sends there itself, with shardVersion/databaseVersion
// attached, so chunk moves are safe. Everything else (aggregate, change streams, scatter reads, transactions) it hands,
// with only the command's name changed (find -> clusterFind ...), to the "query router": a mongod that has a shard
// identity but is registered in no config.shards, whose built-in router code is the very code of mongos.
//
// One thread per client connection, blocking sockets, no dependency but the C++ library. Build: c++ -O2 -std=c++17
// -pthread
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

using std::string;
using std::string_view;
typedef std::chrono::steady_clock Clock;

// ---------------------------------------------------------------- BSON, just enough
template <class T>
static T rd(const char* p) {
    T v;
    memcpy(&v, p, sizeof v);
    return v;
}
enum {
    DBL = 1,
    STR = 2,
    OBJ = 3,
    ARR = 4,
    BIN = 5,
    UNDEF = 6,
    OID = 7,
    BOOL = 8,
    DATE = 9,
    NUL = 10,
    REGEX = 11,
    CODE = 13,
    SYM = 14,
    CODEW = 15,
    I32 = 16,
    TS = 17,
    I64 = 18,
    DEC = 19,
    MAXK = 127,
    MINK = 255
};

struct El {  // one element of a document; type 0: none
    uint8_t type = 0;
    const char *key = "", *val = nullptr, *start = nullptr, *end = nullptr;
    explicit operator bool() const { return type != 0; }
    size_t size() const { return end - val; }
    bool number() const { return type == DBL || type == I32 || type == I64; }
    double num() const {
        return type == DBL    ? rd<double>(val)
               : type == I32  ? rd<int32_t>(val)
               : type == I64  ? (double)rd<int64_t>(val)
               : type == BOOL ? *val
                              : 0;
    }
    int64_t i64() const {
        return type == DBL    ? (int64_t)rd<double>(val)
               : type == I32  ? rd<int32_t>(val)
               : type == I64  ? rd<int64_t>(val)
               : type == BOOL ? *val
                              : 0;
    }
    bool truthy() const { return type == BOOL ? *val : number() ? num() != 0 : type && type != NUL && type != UNDEF; }
    string str() const { return type == STR || type == SYM ? string(val + 4, rd<int32_t>(val) - 1) : string(); }
    string_view sv() const {
        return type == STR || type == SYM ? string_view(val + 4, rd<int32_t>(val) - 1) : string_view();
    }
    bool isDoc() const { return type == OBJ || type == ARR; }
};
static size_t vsize(uint8_t t, const char* v, const char* lim) {
    switch (t) {
        case DBL:
        case DATE:
        case TS:
        case I64:
            return 8;
        case STR:
        case CODE:
        case SYM:
            return 4 + (size_t)rd<uint32_t>(v);
        case OBJ:
        case ARR:
        case CODEW:
            return rd<uint32_t>(v);
        case BIN:
            return 5 + (size_t)rd<uint32_t>(v);
        case UNDEF:
        case NUL:
        case MAXK:
        case MINK:
            return 0;
        case OID:
            return 12;
        case BOOL:
            return 1;
        case I32:
            return 4;
        case DEC:
            return 16;
        case 12:
            return 4 + (size_t)rd<uint32_t>(v) + 12;
        case REGEX: {
            size_t a = strnlen(v, lim - v) + 1;
            return a + strnlen(v + a, lim - v - a) + 1;
        }
    }
    throw std::runtime_error("bad BSON type");
}
struct Doc {  // a view of a document
    const char* p = nullptr;
    Doc() {}
    explicit Doc(const char* q) : p(q) {}
    explicit Doc(const El& e) : p(e.isDoc() ? e.val : nullptr) {}
    explicit Doc(const string& s) : p(s.data()) {}
    explicit operator bool() const { return p; }
    int32_t len() const { return p ? rd<int32_t>(p) : 0; }
    string_view sv() const { return string_view(p, len()); }
    struct It {
        const char *c, *lim;
        El e;
        void load() {
            if (c >= lim || !*c) {
                e = El();
                return;
            }
            e.type = (uint8_t)*c;
            e.start = c;
            e.key = c + 1;
            e.val = e.key + strnlen(e.key, lim - e.key) + 1;
            if (e.val > lim)
                throw std::runtime_error("bad BSON");
            e.end = e.val + vsize(e.type, e.val, lim);
            if (e.end > lim)
                throw std::runtime_error("bad BSON");
            c = e.end;
        }
        It& operator++() {
            load();
            return *this;
        }
        bool operator!=(const It&) const { return e.type != 0; }
        const El& operator*() const { return e; }
    };
    It begin() const {
        if (!p)
            return It{nullptr, nullptr, El()};
        It i{p + 4, p + len() - 1, El()};
        i.load();
        return i;
    }
    It end() const { return It{nullptr, nullptr, El()}; }
    El operator[](const char* k) const {
        for (auto& e : *this)
            if (!strcmp(e.key, k))
                return e;
        return El();
    }
    El first() const { return *begin(); }
};
struct B {  // a document builder
    string s = string(4, 0);
    B& raw(const El& e) {
        s.append(e.start, e.end - e.start);
        return *this;
    }
    B& key(uint8_t t, string_view k) {
        s += (char)t;
        s.append(k);
        s += '\0';
        return *this;
    }
    template <class T>
    B& put(T v) {
        s.append((const char*)&v, sizeof v);
        return *this;
    }
    B& as(string_view k, const El& e) {
        key(e.type, k);
        s.append(e.val, e.size());
        return *this;
    }
    B& str(string_view k, string_view v) {
        key(STR, k).put((int32_t)v.size() + 1);
        s.append(v);
        s += '\0';
        return *this;
    }
    B& i32(string_view k, int32_t v) { return key(I32, k).put(v); }
    B& i64(string_view k, int64_t v) { return key(I64, k).put(v); }
    B& dbl(string_view k, double v) { return key(DBL, k).put(v); }
    B& b(string_view k, bool v) { return key(BOOL, k).put((char)v); }
    B& ts(string_view k, uint64_t v) { return key(TS, k).put(v); }
    B& doc(string_view k, string_view d) {
        key(OBJ, k);
        s.append(d);
        return *this;
    }
    B& arr(string_view k, string_view d) {
        key(ARR, k);
        s.append(d);
        return *this;
    }
    string done() {
        s += '\0';
        int32_t n = s.size();
        memcpy(&s[0], &n, 4);
        return std::move(s);
    }
};
struct A : B {
    int n = 0;
    string k() { return std::to_string(n++); }
};  // an array builder: a.str(a.k(), "x")
static string wcMajority() { return B().str("w", "majority").done(); }

// canonical order of types, and comparison, as MongoDB sorts
static int canon(uint8_t t) {
    switch (t) {
        case MINK:
            return -1;
        case 0:
            return 0;
        case UNDEF:
        case NUL:
            return 5;
        case DBL:
        case I32:
        case I64:
        case DEC:
            return 10;
        case STR:
        case SYM:
            return 15;
        case OBJ:
            return 20;
        case ARR:
            return 25;
        case BIN:
            return 30;
        case OID:
            return 35;
        case BOOL:
            return 40;
        case DATE:
            return 45;
        case TS:
            return 47;
        case REGEX:
            return 50;
        case 12:
            return 55;
        case CODE:
            return 60;
        case CODEW:
            return 65;
        case MAXK:
            return 127;
    }
    return 0;
}
static int sgn(int64_t a) { return a < 0 ? -1 : a > 0; }
static int cmpVal(const El& a, const El& b) {
    int ca = canon(a.type), cb = canon(b.type);
    if (ca != cb)
        return ca < cb ? -1 : 1;
    switch (ca) {
        case 10:
            if (a.type != DBL && b.type != DBL) {
                int64_t x = a.i64(), y = b.i64();
                return x < y ? -1 : x > y;
            }
            {
                double x = a.num(), y = b.num();
                return x < y ? -1 : x > y;
            }
        case 15: {
            auto x = a.sv(), y = b.sv();
            return sgn(x.compare(y));
        }
        case 20:
        case 25: {
            auto i = Doc(a).begin(), j = Doc(b).begin();
            for (;; ++i, ++j) {
                const El &x = *i, &y = *j;
                if (!x || !y)
                    return (x ? 1 : 0) - (y ? 1 : 0);
                int c = canon(x.type) - canon(y.type);
                if (c)
                    return sgn(c);
                c = strcmp(x.key, y.key);
                if (c)
                    return sgn(c);
                c = cmpVal(x, y);
                if (c)
                    return c;
            }
        }
        case 30: {
            uint32_t la = rd<uint32_t>(a.val), lb = rd<uint32_t>(b.val);
            if (la != lb)
                return la < lb ? -1 : 1;
            return sgn(memcmp(a.val + 4, b.val + 4, la + 1));
        }
        case 35:
            return sgn(memcmp(a.val, b.val, 12));
        case 40:
            return (int)*a.val - (int)*b.val;
        case 45: {
            int64_t x = rd<int64_t>(a.val), y = rd<int64_t>(b.val);
            return x < y ? -1 : x > y;
        }
        case 47: {
            uint64_t x = rd<uint64_t>(a.val), y = rd<uint64_t>(b.val);
            return x < y ? -1 : x > y;
        }
        case -1:
        case 0:
        case 5:
        case 127:
            return 0;
    }
    size_t n = std::min(a.size(), b.size());
    int c = memcmp(a.val, b.val, n);
    return c ? sgn(c) : sgn((int64_t)a.size() - (int64_t)b.size());
}

// ---------------------------------------------------------------- MD5 (RFC 1321), for hashed shard keys
struct Md5 {
    uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    string buf;
    uint64_t n = 0;
    void add(const void* d, size_t l) {
        buf.append((const char*)d, l);
        n += l;
    }
    void block(const uint8_t* p) {
        static const uint8_t S[64] = {7, 12, 17, 22, 7, 12, 17, 22, 7, 12, 17, 22, 7, 12, 17, 22,
                                      5, 9,  14, 20, 5, 9,  14, 20, 5, 9,  14, 20, 5, 9,  14, 20,
                                      4, 11, 16, 23, 4, 11, 16, 23, 4, 11, 16, 23, 4, 11, 16, 23,
                                      6, 10, 15, 21, 6, 10, 15, 21, 6, 10, 15, 21, 6, 10, 15, 21};
        static const auto K = [] {
            std::vector<uint32_t> k(64);
            for (int i = 0; i < 64; i++)
                k[i] = (uint32_t)floor(fabs(sin(i + 1.0)) * 4294967296.0);
            return k;
        }();
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], M[16];
        memcpy(M, p, 64);
        for (int i = 0; i < 64; i++) {
            uint32_t f;
            int g;
            if (i < 16)
                f = (b & c) | (~b & d), g = i;
            else if (i < 32)
                f = (d & b) | (~d & c), g = (5 * i + 1) & 15;
            else if (i < 48)
                f = b ^ c ^ d, g = (3 * i + 5) & 15;
            else
                f = c ^ (b | ~d), g = (7 * i) & 15;
            f += a + K[i] + M[g];
            a = d;
            d = c;
            c = b;
            b += f << S[i] | f >> (32 - S[i]);
        }
        h[0] += a;
        h[1] += b;
        h[2] += c;
        h[3] += d;
    }
    int64_t low64() {
        uint64_t bits = n * 8;
        buf += '\x80';
        while (buf.size() % 64 != 56)
            buf += '\0';
        buf.append((char*)&bits, 8);
        for (size_t i = 0; i < buf.size(); i += 64)
            block((const uint8_t*)buf.data() + i);
        return (int64_t)((uint64_t)h[1] << 32 | h[0]);
    }
};
static void hashInto(Md5& m, const El& e, bool name) {  // BSONElementHasher::recursiveHash
    int32_t c = canon(e.type);
    m.add(&c, 4);
    if (name && e)
        m.add(e.key, strlen(e.key) + 1);
    if (e.number()) {
        int64_t i;
        if (e.type == DBL) {
            double d = rd<double>(e.val);
            i = std::isnan(d)                 ? 0
                : d >= 9223372036854775808.0  ? INT64_MAX
                : d <= -9223372036854775808.0 ? INT64_MIN
                                              : (int64_t)d;
        } else
            i = e.i64();
        m.add(&i, 8);
    } else if (e.isDoc()) {
        for (auto& x : Doc(e))
            hashInto(m, x, true);
        hashInto(m, El(), true);
    } else if (e)
        m.add(e.val, e.size());
}
static int64_t hash64(const El& e) {
    Md5 m;
    int32_t seed = 0;
    m.add(&seed, 4);
    if (!e) {
        int32_t c = 5;
        m.add(&c, 4);
    } else
        hashInto(m, e, false);
    return m.low64();
}

// ---------------------------------------------------------------- sockets
struct NetError : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct CmdError : std::runtime_error {
    int code;
    string name;
    CmdError(int c, string n, string m) : std::runtime_error(m), code(c), name(n) {}
};
static std::atomic<int32_t> g_req{1};

struct Conn {
    int fd = -1;
    std::vector<char> buf;
    size_t a = 0, z = 0;
    Conn() : buf(65536) {}
    Conn(const Conn&) = delete;
    ~Conn() { close(); }
    void close() {
        if (fd >= 0)
            ::close(fd);
        fd = -1;
        a = z = 0;
    }
    static void tune(int fd) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    void connect(const string& hp, int timeoutS = 0) {
        close();
        auto c = hp.rfind(':');
        string h = hp.substr(0, c), p = c == string::npos ? "27017" : hp.substr(c + 1);
        addrinfo hint{}, *r = nullptr;
        hint.ai_socktype = SOCK_STREAM;
        if (getaddrinfo(h.c_str(), p.c_str(), &hint, &r) || !r)
            throw NetError("cannot resolve " + hp);
        fd = socket(r->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc = ::connect(fd, r->ai_addr, r->ai_addrlen);
        freeaddrinfo(r);
        if (rc) {
            close();
            throw NetError("cannot connect to " + hp);
        }
        tune(fd);
        if (timeoutS) {
            timeval tv{timeoutS, 0};
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        }
    }
    bool stale() {
        if (fd < 0)
            return true;
        if (z > a)
            return false;
        char c;
        ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
        return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    }
    void send(const char* p, size_t n) {
        while (n) {
            ssize_t k = ::send(fd, p, n, MSG_NOSIGNAL);
            if (k < 0 && errno == EINTR)
                continue;
            if (k <= 0) {
                close();
                throw NetError("send failed");
            }
            p += k;
            n -= k;
        }
    }
    void send(string_view s) { send(s.data(), s.size()); }
    void fill() {
        if (z == buf.size()) {
            if (a) {
                memmove(&buf[0], &buf[a], z - a);
                z -= a;
                a = 0;
            } else
                buf.resize(buf.size() * 2);
        }
        ssize_t k;
        do
            k = recv(fd, &buf[z], buf.size() - z, 0);
        while (k < 0 && errno == EINTR);
        if (k <= 0) {
            close();
            throw NetError(k ? "receive failed" : "connection closed");
        }
        z += k;
    }
    string_view msg() {  // one whole message; good until the next call
        if (a == z)
            a = z = 0;
        while (z - a < 4)
            fill();
        size_t n = rd<uint32_t>(&buf[a]);
        if (n < 16 || n > 48000000 + 65536) {
            close();
            throw NetError("bad message length");
        }
        if (buf.size() - a < n) {
            memmove(&buf[0], &buf[a], z - a);
            z -= a;
            a = 0;
            if (buf.size() < n)
                buf.resize(n + 4096);
        }
        while (z - a < n)
            fill();
        string_view m(&buf[a], n);
        a += n;
        return m;
    }
};
static string opMsg(string_view body, int32_t reqId, int32_t respTo, string_view seqs = {}) {
    string m;
    m.reserve(21 + body.size() + seqs.size());
    int32_t h[5] = {(int32_t)(21 + body.size() + seqs.size()), reqId, respTo, 2013, 0};
    m.append((char*)h, 20);
    m += '\0';
    m.append(body);
    m.append(seqs);
    return m;
}
static Doc replyBody(string_view m) {
    if (m.size() < 26 || rd<int32_t>(m.data() + 12) != 2013 || m[20] != 0)
        throw NetError("unexpected reply");
    return Doc(m.data() + 21);
}
// runs a command on a connection, returns its reply body (a view into the connection's buffer)
static Doc runOn(Conn& c, string_view body) {
    c.send(opMsg(body, g_req++, 0));
    return replyBody(c.msg());
}

// ---------------------------------------------------------------- the cluster: who is where
static string g_router, g_config;
static bool g_verbose = false;
static void logf(const char* f, ...) __attribute__((format(printf, 1, 2)));
#include <cstdarg>
static void logf(const char* f, ...) {
    if (!g_verbose)
        return;
    va_list v;
    va_start(v, f);
    vfprintf(stderr, f, v);
    fputc('\n', stderr);
    va_end(v);
}

static std::mutex g_topoMx;
static std::map<string, string> g_seeds /* shard -> "rs/h:p,h:p" */, g_primary /* shard -> h:p */;
static std::vector<string> hostsOf(const string& seed) {
    std::vector<string> v;
    size_t i = seed.find('/');
    i = i == string::npos ? 0 : i + 1;
    while (i <= seed.size()) {
        size_t j = seed.find(',', i);
        if (j == string::npos)
            j = seed.size();
        if (j > i)
            v.push_back(seed.substr(i, j - i));
        i = j + 1;
    }
    return v;
}
static string findPrimary(const string& seed) {  // "" if there is none just now
    std::vector<string> todo = hostsOf(seed);
    std::set<string> seen;
    string hello = B().i32("hello", 1).str("$db", "admin").done();
    for (size_t i = 0; i < todo.size(); i++) {
        if (!seen.insert(todo[i]).second)
            continue;
        try {
            Conn c;
            c.connect(todo[i], 3);
            Doc d = runOn(c, hello);
            if (d["isWritablePrimary"].truthy())
                return todo[i];
            if (auto p = d["primary"])
                todo.insert(todo.begin() + i + 1, p.str());
            for (auto& h : Doc(d["hosts"]))
                todo.push_back(h.str());
        } catch (std::exception&) {
        }
    }
    return "";
}
static string primaryOf(const string& shard, bool again) {
    {
        std::lock_guard<std::mutex> l(g_topoMx);
        if (again)
            g_primary.erase(shard);
        auto i = g_primary.find(shard);
        if (i != g_primary.end())
            return i->second;
    }
    string seed = g_config;
    if (shard != "config") {
        std::lock_guard<std::mutex> l(g_topoMx);
        auto i = g_seeds.find(shard);
        if (i == g_seeds.end())
            throw CmdError(70, "ShardNotFound", "Shard " + shard + " not found");
        seed = i->second;
    }
    string p = findPrimary(seed);
    if (p.empty())
        throw NetError("no primary for " + shard + " (" + seed + ")");
    std::lock_guard<std::mutex> l(g_topoMx);
    g_primary[shard] = p;
    return p;
}

struct Chunk {
    string min, max, shard;
};
struct KeyPart {
    string path;
    bool hashed;
};
struct Coll {  // what config knows about one namespace
    bool dbExists = false, sharded = false;
    string primary, dbVersion /* BSON */;
    std::vector<KeyPart> key;
    string keyDoc, epoch, uuid;
    uint64_t timestamp = 0;
    std::vector<Chunk> chunks;
    std::map<string, string> versions; /* shard -> shardVersion BSON */
    const Chunk* chunkFor(const std::vector<std::pair<El, string>>& vals) const {
        auto cmp = [&](const string& bound) {
            auto it = Doc(bound).begin();
            for (auto& v : vals) {
                int c = cmpVal(v.first, *it);
                if (c)
                    return c;
                ++it;
            }
            return 0;
        };
        size_t lo = 0, hi = chunks.size();  // the last chunk whose min is not above the key
        while (lo < hi) {
            size_t m = (lo + hi) / 2;
            if (cmp(chunks[m].min) >= 0)
                lo = m + 1;
            else
                hi = m;
        }
        return lo ? &chunks[lo - 1] : nullptr;
    }
};
typedef std::shared_ptr<const Coll> CollP;
static std::shared_mutex g_catMx;
static std::unordered_map<string, CollP> g_cat;
static const string& unsharded() {
    static const string v = [] {
        B b;
        b.key(OID, "e");
        b.s.append(12, 0);
        b.ts("t", 0).ts("v", 0);
        return b.done();
    }();
    return v;
}

struct ConfigConn {  // reads of the catalogue and _configsvr* commands; one at a time is enough
    std::mutex mx;
    Conn c;
    string run(const string& cmd, bool retryNet = true) {
        std::lock_guard<std::mutex> l(mx);
        auto until = Clock::now() + std::chrono::seconds(20);
        for (bool again = false;; again = true) {
            try {
                if (again || c.stale()) {
                    c.close();
                    c.connect(primaryOf("config", again));
                }
                Doc d = runOn(c, cmd);
                int code = d["ok"].truthy() ? 0 : (int)d["code"].i64();
                if (code == 10107 || code == 13435 || code == 13436)
                    throw NetError("config server stepped down");
                return string(d.sv());
            } catch (NetError&) {
                c.close();
                if (!retryNet || Clock::now() > until)
                    throw;
                usleep(200000);
            }
        }
    }
};
static ConfigConn& cfg() {
    static ConfigConn* c = new ConfigConn;
    return *c;
}
static std::vector<string> cfgFind(const string& coll, const string& filter, const string& sort = "") {
    std::vector<string> out;
    B b;
    b.str("find", coll).doc("filter", filter);
    if (!sort.empty())
        b.doc("sort", sort);
    string r = cfg().run(b.i32("batchSize", 100000).b("singleBatch", false).str("$db", "config").done());
    Doc d(r);
    for (;;) {
        if (!d["ok"].truthy())
            throw CmdError((int)d["code"].i64(), d["codeName"].str(), "config: " + d["errmsg"].str());
        Doc cur(d["cursor"]);
        El batch = cur["firstBatch"];
        if (!batch)
            batch = cur["nextBatch"];
        for (auto& x : Doc(batch))
            out.push_back(string(Doc(x).sv()));
        int64_t id = cur["id"].i64();
        if (!id)
            return out;
        r = cfg().run(B().i64("getMore", id).str("collection", coll).str("$db", "config").done());
        d = Doc(r);
    }
}
static void loadShards() {
    auto v = cfgFind("shards", B().done());
    std::lock_guard<std::mutex> l(g_topoMx);
    g_seeds.clear();
    for (auto& s : v)
        g_seeds[Doc(s)["_id"].str()] = Doc(s)["host"].str();
}
static std::vector<string> allShards() {
    loadShards();
    std::lock_guard<std::mutex> l(g_topoMx);
    std::vector<string> v;
    for (auto& s : g_seeds)
        v.push_back(s.first);
    return v;
}
static CollP loadColl(const string& db, const string& ns) {
    auto c = std::make_shared<Coll>();
    if (db == "config" || db == "admin" || db == "local") {
        c->dbExists = true;
        c->primary = "config";
    } else {
        auto d = cfgFind("databases", B().str("_id", db).done());
        if (!d.empty()) {
            c->dbExists = true;
            c->primary = Doc(d[0])["primary"].str();
            c->dbVersion = string(Doc(Doc(d[0])["version"]).sv());
        }
    }
    if (c->dbExists && db != "admin" && ns.size() > db.size() + 1)
        for (int tries = 0; tries < 5; tries++) {  // again if chunks and collection disagree (being changed)
            auto v = cfgFind("collections", B().str("_id", ns).done());
            if (v.empty())
                break;
            Doc d(v[0]);
            El ep = d["lastmodEpoch"], t = d["timestamp"], u = d["uuid"];
            if (!ep || !t || !u || d["dropped"].truthy())
                break;
            c->sharded = true;
            c->key.clear();
            c->chunks.clear();
            c->keyDoc = string(Doc(d["key"]).sv());
            c->epoch = string(ep.val, 12);
            c->uuid = string(u.val, u.size());
            c->timestamp = rd<uint64_t>(t.val);
            for (auto& k : Doc(d["key"]))
                c->key.push_back({k.key, k.type == STR});
            std::map<string, uint64_t> mx;
            for (auto& s : cfgFind("chunks", B().as("uuid", u).done(), B().i32("min", 1).done())) {
                Doc x(s);
                Chunk ch{string(Doc(x["min"]).sv()), string(Doc(x["max"]).sv()), x["shard"].str()};
                auto& m = mx[ch.shard];
                m = std::max(m, rd<uint64_t>(x["lastmod"].val));
                c->chunks.push_back(ch);
            }
            bool whole = !c->chunks.empty();
            for (size_t i = 1; i < c->chunks.size(); i++)
                if (c->chunks[i].min != c->chunks[i - 1].max)
                    whole = false;
            for (auto& m : mx) {
                B b;
                b.key(OID, "e");
                b.s += c->epoch;
                c->versions[m.first] = b.ts("t", c->timestamp).ts("v", m.second).done();
            }
            if (whole)
                break;
            usleep(50000);
        }
    if (c->sharded) {
        bool known = true;
        {
            std::lock_guard<std::mutex> l(g_topoMx);
            for (auto& v : c->versions)
                if (!g_seeds.count(v.first))
                    known = false;
        }
        if (!known)
            loadShards();
    } else if (c->dbExists && c->primary != "config") {
        bool known;
        {
            std::lock_guard<std::mutex> l(g_topoMx);
            known = g_seeds.count(c->primary);
        }
        if (!known)
            loadShards();
    }
    return c;
}
static CollP coll(const string& db, const string& ns, bool fresh = false) {
    if (!fresh) {
        std::shared_lock<std::shared_mutex> l(g_catMx);
        auto i = g_cat.find(ns);
        if (i != g_cat.end())
            return i->second;
    }
    CollP c = loadColl(db, ns);
    std::unique_lock<std::shared_mutex> l(g_catMx);
    if (c->dbExists)
        g_cat[ns] = c;
    else
        g_cat.erase(ns);
    return c;
}
static void forget(const string& prefix) {
    std::unique_lock<std::shared_mutex> l(g_catMx);
    for (auto i = g_cat.begin(); i != g_cat.end();)
        if (prefix.empty() || i->first == prefix ||
            (i->first.size() > prefix.size() && !i->first.compare(0, prefix.size() + 1, prefix + ".")))
            i = g_cat.erase(i);
        else
            ++i;
}

// A shard applies no cluster-wide default write concern; mongos sends it along, and so do we
static std::mutex g_wcMx;
static string g_wc;
static string defaultWc() {
    std::lock_guard<std::mutex> l(g_wcMx);
    return g_wc;
}
static void loadDefaultWc() {
    string wc;
    try {
        string r = cfg().run(B().i32("getDefaultRWConcern", 1).str("$db", "admin").done(), false);
        Doc d{Doc(r)["defaultWriteConcern"]};
        if (d) {
            B b;
            for (auto& e : d)
                if (strcmp(e.key, "provenance"))
                    b.raw(e);
            wc = b.done();
        }
    } catch (std::exception&) {
        return;
    }
    std::lock_guard<std::mutex> l(g_wcMx);
    g_wc = B().doc("writeConcern", wc.empty() ? wcMajority() : wc).s.substr(4);
}

// The newest cluster time that shards have told us. A mongos would know it; the query router does not, as it saw none
// of the writes that we aimed ourselves, and a change stream opened "now" would start in the past. So it is sent along.
static std::mutex g_ctMx;
static std::atomic<uint64_t> g_ctTime{0};
static string g_ct;
static void learnTime(Doc reply) {
    El e = reply["$clusterTime"];
    if (!e)
        return;
    El t = Doc(e)["clusterTime"];
    if (t.type != TS)
        return;
    uint64_t v = rd<uint64_t>(t.val);
    if (v <= g_ctTime.load(std::memory_order_relaxed))
        return;
    std::lock_guard<std::mutex> l(g_ctMx);
    if (v > g_ctTime) {
        g_ctTime = v;
        g_ct.assign(e.val, e.size());
    }
}

// cursors that do not live in the query router, and which of the router's are change streams
static std::mutex g_curMx;
static std::unordered_map<int64_t, string> g_curShard;
static std::unordered_set<int64_t> g_curStream;

static bool staleCode(int c) { return c == 13388 || c == 63 || c == 150 || c == 249 || c == 361; }
static bool notPrimaryCode(int c) { return c == 10107 || c == 13435 || c == 13436 || c == 10058; }
static bool resumable(int c) {  // what a mongos labels ResumableChangeStreamError
    static const std::set<int> s = {6,     7,  89,  91,    189, 262, 9001, 10107, 11600, 11602, 13435,
                                    13436, 63, 150, 13388, 234, 133, 43,   358,   384,   50};
    return s.count(c);
}

// ---------------------------------------------------------------- one client connection
struct Seq {
    string_view id, docs, whole;
};
struct Req {
    string_view msg;
    int32_t id;
    uint32_t flags;
    Doc body;
    std::vector<Seq> seqs;
    string_view seqBytes;
    El cmd, db;
    string dbs, ns;
    bool inTxn, startTxn, hasTxnNumber, wantsNoReply, hasWc;
};
struct Target {
    string shard;
    const string* sv = nullptr;
};
enum Route { LOCAL, ROUTER, CLUSTER, WRITE, FIND, FAM, GETMORE, OTHER };

struct Client {
    Conn cl, router;
    std::map<string, std::unique_ptr<Conn>> shards;
    Req q;
    string out;
    explicit Client(int fd) {
        cl.fd = fd;
        Conn::tune(fd);
    }

    // ---- upstream connections
    Conn& toRouter() {
        if (router.stale()) {
            router.close();
            auto until = Clock::now() + std::chrono::seconds(10);
            for (;;)
                try {
                    router.connect(g_router);
                    break;
                } catch (NetError&) {
                    if (Clock::now() > until)
                        throw;
                    usleep(100000);
                }
        }
        return router;
    }
    Conn& toShard(const string& s, bool again = false) {
        auto& c = shards[s];
        if (!c)
            c.reset(new Conn);
        if (again || c->stale()) {
            c->close();
            try {
                c->connect(primaryOf(s, again));
            } catch (NetError&) {
                if (again)
                    throw;
                c->connect(primaryOf(s, true));
            }
        }
        return *c;
    }
    Conn& up(const string& s) { return s.empty() ? toRouter() : toShard(s); }
    // an internal command on a shard (or "config"), found again when it has moved; the reply is copied
    string run(const string& s, const string& body, int seconds = 20) {
        auto until = Clock::now() + std::chrono::seconds(seconds);
        for (bool again = false;; again = true) {
            bool sent = false;
            try {
                Conn& c = s.empty() ? toRouter() : toShard(s, again);
                sent = true;
                Doc d = runOn(c, body);
                if (!d["ok"].truthy() && notPrimaryCode((int)d["code"].i64())) {
                    sent = false;
                    throw NetError(d["errmsg"].str());
                }
                return string(d.sv());
            } catch (NetError&) {
                if (!s.empty())
                    shards[s]->close();
                else
                    router.close();
                if (Clock::now() > until || sent)
                    throw;
                usleep(200000);
            }
        }
    }

    // ---- replies
    void reply(string_view body) {
        if (!q.wantsNoReply)
            cl.send(opMsg(body, g_req++, q.id));
    }
    void ok() { reply(B().dbl("ok", 1).done()); }
    void error(int code, string_view name, string_view msg) {
        B b;
        b.dbl("ok", 0).str("errmsg", msg).i32("code", code).str("codeName", name);
        A l;
        if (q.hasTxnNumber && !q.inTxn && (code == 6 || code == 91 || code == 133))
            l.str(l.k(), "RetryableWriteError");
        if (q.inTxn && (code == 6 || code == 7032313))
            l.str(l.k(), "TransientTransactionError");
        if (isStream() && resumable(code))
            l.str(l.k(), "ResumableChangeStreamError");
        if (l.n)
            b.arr("errorLabels", l.done());
        reply(b.done());
    }
    bool isStream() {
        if (!strcmp(q.cmd.key, "getMore")) {
            std::lock_guard<std::mutex> l(g_curMx);
            return g_curStream.count(q.cmd.i64());
        }
        return !strcmp(q.cmd.key, "aggregate") &&
               !strcmp(Doc(Doc(q.body["pipeline"]).first()).first().key, "$changeStream");
    }
    // passes a reply on. Only failures are looked into: they get the labels a mongos would set
    void pass(string_view m) {
        if (m.size() > 40 && m[20] == 0) {
            El f = replyBody(m).first();
            if (f.type == DBL && !strcmp(f.key, "ok") && f.num() == 0) {
                passError(replyBody(m));
                return;
            }
            if (!strcmp(f.key, "errorLabels")) {
                El o = replyBody(m)["ok"];
                if (!o.truthy()) {
                    passError(replyBody(m));
                    return;
                }
            }
        }
        if (!q.wantsNoReply)
            cl.send(m);
    }
    void passError(Doc d) {
        int code = (int)d["code"].i64();
        std::set<string> want;
        for (auto& e : Doc(d["errorLabels"]))
            want.insert(e.str());
        if (isStream() && resumable(code))
            want.insert("ResumableChangeStreamError");
        if (q.inTxn && (code == 7032313 || staleCode(code)))
            want.insert("TransientTransactionError");
        B b;
        for (auto& e : d)
            if (strcmp(e.key, "errorLabels"))
                b.raw(e);
        if (!want.empty()) {
            A a;
            for (auto& w : want)
                a.str(a.k(), w);
            b.arr("errorLabels", a.done());
        }
        reply(b.done());
    }

    // ---- the client's own message again: other name, dropped and added fields, document sequences untouched
    string rewrite(const char* name, string_view extra = {}, bool dropTxn = false,
                   std::function<bool(const El&)> drop = nullptr) {
        string s;
        const char *b = q.body.p, *e = b + q.body.len() - 1;
        s.reserve(q.msg.size() + 64 + extra.size());
        int32_t h[4] = {0, q.id, 0, 2013};
        s.append((char*)h, 16);
        uint32_t fl = q.flags & 2;
        s.append((char*)&fl, 4);
        s += '\0';
        size_t at = s.size();
        s.append(4, 0);
        s += (char)q.cmd.type;
        s.append(name);
        s += '\0';
        if (!dropTxn && !drop)
            s.append(q.cmd.val, e - q.cmd.val);
        else {
            s.append(q.cmd.val, q.cmd.size());
            bool f = true;
            for (auto& x : q.body) {
                if (f) {
                    f = false;
                    continue;
                }
                if (dropTxn && (!strcmp(x.key, "txnNumber") || !strcmp(x.key, "stmtIds") || !strcmp(x.key, "stmtId")))
                    continue;
                if (drop && drop(x))
                    continue;
                s.append(x.start, x.end - x.start);
            }
        }
        s.append(extra);
        s += '\0';
        int32_t n = s.size() - at;
        memcpy(&s[at], &n, 4);
        s.append(q.seqBytes);
        n = s.size();
        memcpy(&s[0], &n, 4);
        return s;
    }
    string flush(Doc stale) {
        return B().str("flushRouterConfig", stale["code"].i64() == 249 ? q.dbs : q.ns).str("$db", "admin").done();
    }  // 249: the database has moved
    void toRouterAs(const char* name, bool dropTxn = false) {
        Conn& c = toRouter();
        try {
            string x;
            std::function<bool(const El&)> drop;
            if (!strcmp(name, "clusterAggregate")) {
                El c0 = q.body["$clusterTime"];
                uint64_t have = c0 ? rd<uint64_t>(Doc(c0)["clusterTime"].val) : 0;
                if (g_ctTime > have) {
                    std::lock_guard<std::mutex> l(g_ctMx);
                    x = B().doc("$clusterTime", g_ct).s.substr(4);
                    if (c0)
                        drop = [](const El& e) { return !strcmp(e.key, "$clusterTime"); };
                }
            }
            string_view m;
            bool read = !q.inTxn && (!strcmp(name, "clusterAggregate") || !strcmp(name, "clusterFind"));
            for (int tries = 0;; tries++) {
                c.send(rewrite(name, x, dropTxn, drop));
                if (q.wantsNoReply)
                    return;
                m = !strcmp(q.cmd.key, "getMore") ? wait(c) : c.msg();
                if (!read || tries > 40)
                    break;  // in mongos the retry of stale reads is outside of the commands
                Doc d = replyBody(m);
                if (!strcmp(d.first().key, "cursor") || d["ok"].truthy() || !staleCode((int)d["code"].i64()))
                    break;
                if (tries)
                    usleep(std::min(tries * 2000, 50000));
                runOn(c, flush(d));
            }
            pass(m);
            if (!strcmp(q.cmd.key, "aggregate") && isStream()) {
                Doc d = replyBody(m);
                if (int64_t id = Doc(d["cursor"])["id"].i64()) {
                    std::lock_guard<std::mutex> l(g_curMx);
                    g_curStream.insert(id);
                }
            }
        } catch (NetError&) {
            router.close();
            throw;
        }  // as if this mongos had died: the client's connection ends
    }
    string_view wait(Conn& c) {  // for long waits: stop when the client goes away
        pollfd p[2] = {{c.fd, POLLIN, 0}, {cl.fd, POLLIN | POLLRDHUP, 0}};
        int n = cl.z > cl.a ? 1 : 2;
        while (c.z == c.a) {
            if (poll(p, n, -1) < 0 && errno != EINTR)
                break;
            if (p[0].revents)
                break;
            if (n == 2 && p[1].revents) {
                if (cl.stale()) {
                    c.close();
                    cl.close();
                    throw NetError("client went away");
                }
                n = 1;
            }
        }
        return c.msg();
    }

    // ---- aiming
    string ver(const CollP& c, const string& shard) {  // the fields that make a request versioned
        if (c->dbVersion.empty() && !c->sharded)
            return "";
        B b;
        auto v = c->versions.find(shard);
        if (c->sharded && v == c->versions.end())
            throw CmdError(13388, "StaleConfig", "no chunk on " + shard);
        b.doc("shardVersion", c->sharded ? v->second : unsharded());
        if (!c->dbVersion.empty() && !c->sharded)
            b.doc("databaseVersion", c->dbVersion);
        return b.s.substr(4);
    }
    string wc() { return q.hasWc || q.inTxn ? string() : defaultWc(); }
    std::function<bool(const El&)> emptyWc() {
        if (q.hasWc || !q.body["writeConcern"])
            return nullptr;
        return [](const El& e) { return !strcmp(e.key, "writeConcern"); };
    }
    string dbVer(const CollP& c) {
        return c->dbVersion.empty() ? "" : B().doc("databaseVersion", c->dbVersion).s.substr(4);
    }
    static El path(Doc d, const string& p) {  // a dotted path of a document
        size_t dot = p.find('.');
        if (dot == string::npos)
            return d[p.c_str()];
        El e = d[p.substr(0, dot).c_str()];
        return e.type == OBJ ? path(Doc(e), p.substr(dot + 1)) : El();
    }
    static bool eq(Doc f, const string& p, El& out) {  // p's value where the filter fixes it
        El e = f[p.c_str()];
        if (!e) {
            El a = f["$and"];
            if (a)
                for (auto& x : Doc(a))
                    if (eq(Doc(x), p, out))
                        return true;
            return false;
        }
        if (e.type == OBJ && Doc(e).first().key[0] == '$') {
            El q = Doc(e)["$eq"];
            if (!q)
                return false;
            e = q;
        }
        if (e.type == ARR || e.type == REGEX || e.type == UNDEF)
            return false;
        out = e;
        return true;
    }
    // the shard that a document (isDoc) or a filter belongs to; "" if that is not one shard
    string aim(const CollP& c, Doc d, bool isDoc) {
        if (!c->sharded)
            return c->primary;
        std::vector<std::pair<El, string>> v;
        v.reserve(c->key.size());
        static const char nul = 0;
        for (auto& k : c->key) {
            El e;
            if (isDoc) {
                e = path(d, k.path);
                if (e.type == ARR)
                    return "";
            } else if (!eq(d, k.path, e))
                return "";
            v.emplace_back(El(), string());
            if (k.hashed) {
                int64_t h = hash64(e);
                v.back().second.assign((char*)&h, 8);
                e = El();
                e.type = I64;
            } else if (!e) {
                e.type = NUL;
                e.val = e.end = &nul;
            }
            v.back().first = e;
        }
        for (size_t i = 0; i < v.size(); i++)
            if (c->key[i].hashed) {
                v[i].first.val = v[i].second.data();
                v[i].first.end = v[i].first.val + 8;
            }
        auto ch = c->chunkFor(v);
        return ch ? ch->shard : "";
    }
    CollP want(bool create) {
        CollP c = coll(q.dbs, q.ns);
        if (!c->dbExists && create) {
            createDb(q.dbs, "");
            c = coll(q.dbs, q.ns, true);
        }
        return c;
    }
    void createDb(const string& db, const string& primary) {
        B b;
        b.str("_configsvrCreateDatabase", db);
        if (!primary.empty())
            b.str("primaryShardId", primary);
        string r = cfg().run(b.doc("writeConcern", wcMajority()).str("$db", "admin").done());
        Doc d(r);
        if (!d["ok"].truthy())
            throw CmdError((int)d["code"].i64(), d["codeName"].str(), d["errmsg"].str());
        forget(db);
    }

    // One command to one shard, versioned, again when stale or when the primary has moved. The reply goes to the
    // client. Writes that may have happened already are only sent again if they are retryable (txnNumber). returns
    // false if the command cannot be aimed (nothing was sent)
    bool aimed(const std::function<string(const CollP&)>& target, bool create, bool safe, const char* name,
               bool trackCursor, string_view extra = {}) {
        auto until = Clock::now() + std::chrono::seconds(20);
        bool fresh = false, again = false;
        int stale = 0;
        for (;;) {
            string s;
            bool sent = false;
            try {
                CollP c = fresh ? (forget(q.ns), want(create)) : want(create);
                fresh = false;
                s = target(c);
                if (s.empty())
                    return false;
                Conn& u = toShard(s, again);
                again = false;
                string x = ver(c, s);
                x.append(extra);
                sent = true;
                u.send(rewrite(name, x, false, extra.empty() ? nullptr : emptyWc()));
                if (q.wantsNoReply)
                    return true;
                string_view m = u.msg();
                Doc d = replyBody(m);
                int code = 0;
                learnTime(d);
                bool good = d["ok"].truthy();
                if (!good)
                    code = (int)d["code"].i64();
                if (staleCode(code) && ++stale < 40) {
                    logf("stale: %s", d["errmsg"].str().c_str());
                    fresh = true;
                    usleep(std::min(stale * 2000, 100000));
                    continue;
                }
                if (notPrimaryCode(code) && Clock::now() < until) {
                    again = true;
                    usleep(100000);
                    continue;
                }
                if (trackCursor && good)
                    if (int64_t id = Doc(d["cursor"])["id"].i64()) {
                        std::lock_guard<std::mutex> l(g_curMx);
                        g_curShard[id] = s;
                    }
                pass(m);
                return true;
            } catch (NetError& e) {
                if (!s.empty() && shards[s])
                    shards[s]->close();
                if ((sent && !safe) || Clock::now() > until) {
                    error(6, "HostUnreachable", string("shard ") + s + ": " + e.what());
                    return true;
                }
                again = true;
                usleep(100000);
            } catch (CmdError& e) {
                if (e.code == 13388 && ++stale < 40) {
                    fresh = true;
                    usleep(20000);
                } else
                    throw;
            }
        }
    }

    // ---- insert, update, delete
    void write(const char* opsName, const char* cluster) {
        std::vector<Doc> ops;
        bool inSeq = false;
        for (auto& s : q.seqs)
            if (s.id == opsName) {
                inSeq = true;
                for (size_t i = 0; i + 4 <= s.docs.size();) {
                    Doc d(s.docs.data() + i);
                    ops.push_back(d);
                    i += d.len();
                }
            }
        if (!inSeq)
            for (auto& e : Doc(q.body[opsName]))
                ops.push_back(Doc(e));
        char kind = opsName[0];
        bool ordered = true;
        if (El o = q.body["ordered"])
            ordered = o.truthy();
        auto aimOp = [&](const CollP& c, Doc d) -> string {
            if (!c->dbExists)
                return "";
            if (kind == 'd' && opsName[1] == 'o')
                return aim(c, d, true);
            if (d["collation"] && c->sharded)
                return "";
            string s = aim(c, Doc(d["q"]), false);
            if (s.empty() && kind == 'u' && !d["multi"].truthy()) {
                El u = d["u"];
                if (u.type == OBJ && Doc(u).first().key[0] != '$')
                    s = aim(c, Doc(u), true);
            }
            return s;
        };
        bool viaRouter = q.inTxn || ops.empty();
        CollP c;
        std::vector<string> where(ops.size());
        if (!viaRouter) {
            c = want(true);
            bool one = true;
            for (size_t i = 0; i < ops.size() && !viaRouter; i++) {
                where[i] = aimOp(c, ops[i]);
                if (where[i].empty())
                    viaRouter = true;
                else if (where[i] != where[0])
                    one = false;
            }
            if (!viaRouter && one && ops.size() == 1) {
                // the common case: forwarded as it is. A stale error sits in writeErrors here, so it is looked for
                if (single(c, where[0], cluster))
                    return;
            }
        }
        if (viaRouter) {
            toRouterAs(cluster, !q.inTxn && q.hasTxnNumber);
            return;
        }
        split(ops, opsName, inSeq, ordered, aimOp, cluster);
    }
    // a write of one operation; false: stale, do it the long way (nothing has happened)
    bool single(const CollP& c, const string& s, const char*) {
        try {
            Conn& u = toShard(s);
            u.send(rewrite(q.cmd.key, ver(c, s) + wc(), false, emptyWc()));
            if (q.wantsNoReply)
                return true;
            string_view m = u.msg();
            Doc d = replyBody(m);
            int code = 0;
            learnTime(d);
            if (!d["ok"].truthy())
                code = (int)d["code"].i64();
            else if (El we = d["writeErrors"])
                code = (int)Doc(Doc(we).first())["code"].i64();
            if (staleCode(code)) {
                forget(q.ns);
                return false;
            }
            if (notPrimaryCode(code)) {
                primaryOf_(s);
                return false;
            }
            pass(m);
            return true;
        } catch (NetError& e) {
            shards[s]->close();
            if (q.hasTxnNumber)
                return false;
            error(6, "HostUnreachable", string("shard ") + s + ": " + e.what());
            return true;
        }
    }
    void primaryOf_(const string& s) {
        shards[s]->close();
        std::lock_guard<std::mutex> l(g_topoMx);
        g_primary.erase(s);
    }
    template <class F>
    void split(const std::vector<Doc>& ops, const char* opsName, bool, bool ordered, const F& aimOp,
               const char* cluster) {
        enum { PENDING, DONE, FAILED };
        std::vector<char> st(ops.size(), PENDING);
        std::map<size_t, string> errs;
        std::vector<std::pair<size_t, string>> ups;
        int64_t n = 0, nMod = 0;
        string wce, ct;
        uint64_t opTime = 0;
        std::set<string> labels;
        bool any = false, stop = false;
        int stale = 0;
        auto until = Clock::now() + std::chrono::seconds(20);
        auto skip = [&](const El& x) {
            return !strcmp(x.key, opsName) || !strcmp(x.key, "stmtIds") || (!q.hasWc && !strcmp(x.key, "writeConcern"));
        };
        while (!stop) {
            CollP c = want(true);
            std::map<string, std::vector<size_t>> parts;
            string run;
            for (size_t i = 0; i < ops.size(); i++)
                if (st[i] == PENDING) {
                    string s = aimOp(c, ops[i]);
                    if (s.empty()) {
                        if (!any) {
                            toRouterAs(cluster, q.hasTxnNumber);
                            return;
                        }
                        throw CmdError(13388, "StaleConfig", "the shard key changed while writing");
                    }
                    if (ordered) {
                        if (run.empty())
                            run = s;
                        else if (run != s)
                            break;
                    }
                    parts[s].push_back(i);
                }
            if (parts.empty())
                break;
            bool trouble = false;
            std::map<string, bool> sent;
            for (auto& p : parts)
                try {
                    Conn& u = toShard(p.first);
                    string x = ver(c, p.first) + wc();
                    if (q.hasTxnNumber) {
                        A a;
                        for (size_t i : p.second)
                            a.i32(a.k(), (int)i);
                        B t;
                        t.arr("stmtIds", a.done());
                        x += t.s.substr(4);
                    }
                    B b;
                    bool f = true;
                    for (auto& e : q.body) {
                        if (f) {
                            f = false;
                            b.raw(e);
                            continue;
                        }
                        if (!skip(e))
                            b.raw(e);
                    }
                    b.s += x;
                    string sq, docs;
                    for (size_t i : p.second)
                        docs.append(ops[i].sv());
                    int32_t len = 4 + strlen(opsName) + 1 + docs.size();
                    sq += '\x01';
                    sq.append((char*)&len, 4);
                    sq.append(opsName);
                    sq += '\0';
                    sq += docs;
                    u.send(opMsg(b.done(), g_req++, 0, sq));
                    sent[p.first] = true;
                } catch (NetError&) {
                    primaryOf_(p.first);
                    trouble = true;
                } catch (CmdError& e) {
                    if (e.code != 13388)
                        throw;
                    forget(q.ns);
                    trouble = true;
                    stale++;
                }
            for (auto& p : parts)
                if (sent.count(p.first)) {
                    string r;
                    try {
                        r = string(replyBody(toShardNow(p.first).msg()).sv());
                    } catch (NetError& e) {
                        primaryOf_(p.first);
                        trouble = true;
                        if (!q.hasTxnNumber) {
                            for (size_t i : p.second) {
                                st[i] = FAILED;
                                errs[i] = B().i32("code", 6)
                                              .str("errmsg", string("shard ") + p.first + ": " + e.what())
                                              .done();
                            }
                            if (ordered)
                                stop = true;
                        }
                        continue;
                    }
                    Doc d(r);
                    any = true;
                    learnTime(d);
                    if (El t = d["operationTime"])
                        if (rd<uint64_t>(t.val) >= opTime) {
                            opTime = rd<uint64_t>(t.val);
                            if (El k = d["$clusterTime"])
                                ct = string(Doc(k).sv());
                        }
                    for (auto& l : Doc(d["errorLabels"]))
                        labels.insert(l.str());
                    if (!d["ok"].truthy()) {
                        int code = (int)d["code"].i64();
                        if (staleCode(code)) {
                            forget(q.ns);
                            stale++;
                            trouble = true;
                            continue;
                        }
                        if (notPrimaryCode(code)) {
                            primaryOf_(p.first);
                            trouble = true;
                            continue;
                        }
                        for (size_t i : p.second) {
                            st[i] = FAILED;
                            errs[i] = B().i32("code", code).str("errmsg", d["errmsg"].str()).done();
                            if (ordered)
                                break;
                        }
                        if (ordered)
                            stop = true;
                        continue;
                    }
                    n += d["n"].i64();
                    nMod += d["nModified"].i64();
                    if (El w = d["writeConcernError"])
                        wce = string(Doc(w).sv());
                    for (auto& x : Doc(d["upserted"])) {
                        Doc u(x);
                        ups.push_back(
                            {p.second[u["index"].i64()], string(u["_id"].start, u["_id"].end - u["_id"].start)});
                    }
                    std::map<size_t, Doc> we;
                    for (auto& x : Doc(d["writeErrors"]))
                        we[Doc(x)["index"].i64()] = Doc(x);
                    for (size_t k = 0; k < p.second.size(); k++) {
                        size_t i = p.second[k];
                        auto w = we.find(k);
                        if (w == we.end()) {
                            st[i] = DONE;
                            continue;
                        }
                        int code = (int)w->second["code"].i64();
                        if (staleCode(code)) {
                            forget(q.ns);
                            stale++;
                            trouble = true;
                            if (ordered)
                                break;
                            continue;
                        }
                        st[i] = FAILED;
                        errs[i] = string(w->second.sv());
                        if (ordered) {
                            stop = true;
                            break;
                        }
                    }
                }
            if (trouble) {
                if (Clock::now() > until || stale > 200) {
                    for (size_t i = 0; i < ops.size(); i++)
                        if (st[i] == PENDING) {
                            errs[i] = B().i32("code", 6)
                                          .str("errmsg", "gave up: no primary, or the routing kept changing")
                                          .done();
                            st[i] = FAILED;
                            labels.insert("RetryableWriteError");
                        }
                    break;
                }
                usleep(stale > 3 ? 50000 : 5000);
            }
        }
        if (q.wantsNoReply)
            return;
        B b;
        b.i32("n", (int32_t)n);
        if (opsName[0] == 'u')
            b.i32("nModified", (int32_t)nMod);
        if (!ups.empty()) {
            std::sort(ups.begin(), ups.end());
            A a;
            for (auto& u : ups) {
                B x;
                x.i32("index", (int)u.first);
                x.s += u.second;
                a.doc(a.k(), x.done());
            }
            b.arr("upserted", a.done());
        }
        if (!errs.empty()) {
            A a;
            for (auto& e : errs) {
                B x;
                x.i32("index", (int)e.first);
                for (auto& f : Doc(e.second))
                    if (strcmp(f.key, "index"))
                        x.raw(f);
                a.doc(a.k(), x.done());
            }
            b.arr("writeErrors", a.done());
        }
        if (!wce.empty())
            b.doc("writeConcernError", wce);
        if (!labels.empty()) {
            A a;
            for (auto& l : labels)
                a.str(a.k(), l);
            b.arr("errorLabels", a.done());
        }
        b.dbl("ok", 1);
        if (!ct.empty())
            b.doc("$clusterTime", ct);
        if (opTime)
            b.ts("operationTime", opTime);
        reply(b.done());
    }
    Conn& toShardNow(const string& s) {
        auto& c = shards[s];
        if (!c || c->fd < 0)
            throw NetError("connection lost");
        return *c;
    }

    // ---- the rest
    string plainBody(const char* name, const El& nameVal, string_view extra, const std::set<string>& drop = {},
                     bool keepSession = false) {
        B b;
        b.as(name, nameVal);
        bool f = true;
        for (auto& e : q.body) {
            if (f) {
                f = false;
                continue;
            }
            if (drop.count(e.key) || !strcmp(e.key, "$db") || !strcmp(e.key, "writeConcern") ||
                !strcmp(e.key, "$readPreference") ||
                (!keepSession && (!strcmp(e.key, "lsid") || !strcmp(e.key, "txnNumber"))))
                continue;
            b.raw(e);
        }
        b.s.append(extra);
        return b.s;  // not closed: the caller adds $db and closes
    }
    static string close(string s, string_view db, bool majority) {
        B b;
        b.s = std::move(s);
        if (majority)
            b.doc("writeConcern", wcMajority());
        b.str("$db", db);
        return b.done();
    }
    void passDoc(const string& r) {
        Doc d(r);
        if (!d["ok"].truthy()) {
            passError(d);
            return;
        }
        reply(r);
    }
    // a DDL command for the database's primary shard, e.g. drop -> _shardsvrDropCollection
    void ddl(const char* name, const El& val, const std::set<string>& drop = {}, string_view extra = {},
             bool create = false) {
        string r;
        for (int i = 0; i < 20; i++) {
            CollP c = want(create);
            if (!c->dbExists) {
                error(26, "NamespaceNotFound", "database " + q.dbs + " not found");
                return;
            }
            string x = dbVer(c);
            x.append(extra);
            r = run(c->primary, close(plainBody(name, val, x, drop), q.dbs, true), 30);
            forget(q.dbs);
            if (!staleCode((int)Doc(r)["code"].i64()))
                break;
            usleep(20000);
        }
        passDoc(r);
    }
    void onConfig(const char* name, const El& val, bool majority = true) {
        string r = cfg().run(close(plainBody(name, val, ""), "admin", majority));
        if (majority)
            forget("");
        passDoc(r);
    }
    void everyShard(const char* what, bool createDbFirst) {  // createIndexes and the like: every shard with chunks
        string r;
        for (int i = 0; i < 40; i++) {
            CollP c = want(createDbFirst);
            std::vector<string> to;
            if (c->sharded)
                for (auto& v : c->versions)
                    to.push_back(v.first);
            else
                to.push_back(c->primary);
            bool again = false;
            r.clear();
            for (auto& s : to) {
                string x = run(s, closeSeq(plainBody(what, q.cmd, ver(c, s))), 30);
                int code = Doc(x)["ok"].truthy() ? 0 : (int)Doc(x)["code"].i64();
                if (staleCode(code)) {
                    again = true;
                    break;
                }
                if (r.empty() || code)
                    r = x;
                if (code)
                    break;
            }
            if (!again) {
                passDoc(r);
                return;
            }
            forget(q.ns);
            usleep(std::min(i * 5000, 100000));
        }
        error(13388, "StaleConfig", "routing kept changing");
    }
    string closeSeq(string s) {  // with the document sequences as arrays, and the client's write concern
        B b;
        b.s = std::move(s);
        for (auto& sq : q.seqs) {
            A a;
            for (size_t i = 0; i + 4 <= sq.docs.size();) {
                Doc d(sq.docs.data() + i);
                a.doc(a.k(), d.sv());
                i += d.len();
            }
            b.arr(sq.id, a.done());
        }
        if (El w = q.body["writeConcern"]; w && q.hasWc)
            b.raw(w);
        else
            b.s += wc();
        b.str("$db", q.dbs);
        return b.done();
    }
    void sums(const char*) {  // dbStats, collStats...: numbers summed over the shards
        std::map<string, double> sum;
        string first;
        B sh;
        std::vector<string> to;
        CollP c = want(false);
        if (!c->dbExists) {
            ok();
            return;
        }
        if (c->sharded)
            for (auto& v : c->versions)
                to.push_back(v.first);
        else if (q.cmd.type == STR)
            to.push_back(c->primary);
        else
            to = allShards();
        for (auto& s : to) {
            string r = run(s, close(plainBody(q.cmd.key, q.cmd, ""), q.dbs, false));
            if (!Doc(r)["ok"].truthy()) {
                passError(Doc(r));
                return;
            }
            if (first.empty())
                first = r;
            for (auto& e : Doc(r))
                if (e.number())
                    sum[e.key] += e.num();
            sh.doc(s, r);
        }
        B b;
        for (auto& e : Doc(first)) {
            if (!strcmp(e.key, "ok") || e.key[0] == '$' || !strcmp(e.key, "operationTime"))
                continue;
            if (e.number()) {
                double v = sum[e.key];
                if (!strncmp(e.key, "avg", 3))
                    v /= to.size();
                if (v == floor(v))
                    b.i64(e.key, (int64_t)v);
                else
                    b.dbl(e.key, v);
            } else
                b.raw(e);
        }
        reply(b.b("sharded", c->sharded).doc("shards", sh.done()).dbl("ok", 1).done());
    }
    string viaAggregate(const string& pipeline) {  // for count and distinct: the whole result of an aggregation
        B b;
        b.as("clusterAggregate", q.cmd).arr("pipeline", pipeline).doc("cursor", B().i32("batchSize", 10000000).done());
        for (const char* k : {"collation", "hint", "readConcern", "maxTimeMS", "lsid", "$clusterTime",
                              "$readPreference", "comment", "txnNumber", "autocommit", "startTransaction"})
            if (El e = q.body[k]) {
                if (!strcmp(k, "txnNumber") && !q.inTxn)
                    continue;
                if (!strcmp(k, "hint") && e.type == OBJ && Doc(e).len() == 5)
                    continue;
                b.raw(e);
            }
        string cmd = b.str("$db", q.dbs).done(), r;
        for (int i = 0; i < 40; i++) {
            r = run("", cmd);
            if (Doc(r)["ok"].truthy() || !staleCode((int)Doc(r)["code"].i64()))
                break;
            if (i)
                usleep(std::min(i * 2000, 50000));
            run("", flush(Doc(r)));
        }
        return r;
    }
    void count() {
        A p;
        if (El f = q.body["query"]; f && Doc(f).len() > 5)
            p.doc(p.k(), B().as("$match", f).done());
        if (El s = q.body["skip"]; s && s.i64() > 0)
            p.doc(p.k(), B().i64("$skip", s.i64()).done());
        if (El l = q.body["limit"]; l && l.i64())
            p.doc(p.k(), B().i64("$limit", llabs(l.i64())).done());
        p.doc(p.k(), B().doc("$group", B().key(NUL, "_id").doc("n", B().i32("$sum", 1).done()).done()).done());
        string r = viaAggregate(p.done());
        Doc d(r);
        if (!d["ok"].truthy()) {
            passError(d);
            return;
        }
        El n = Doc(Doc(Doc(d["cursor"])["firstBatch"]).first())["n"];
        B b;
        if (n)
            b.as("n", n);
        else
            b.i32("n", 0);
        tail(b, d);
    }
    void tail(B& b, Doc d) {
        b.dbl("ok", 1);
        for (const char* k : {"$clusterTime", "operationTime"})
            if (El e = d[k])
                b.raw(e);
        reply(b.done());
    }
    void distinct() {
        string k = "$" + q.body["key"].str();
        A p;
        if (El f = q.body["query"]; f && Doc(f).len() > 5)
            p.doc(p.k(), B().as("$match", f).done());
        p.doc(p.k(), B().str("$unwind", k).done());
        p.doc(p.k(), B().doc("$group", B().str("_id", k).done()).done());
        string r = viaAggregate(p.done());
        Doc d(r);
        if (!d["ok"].truthy()) {
            passError(d);
            return;
        }
        A v;
        for (auto& e : Doc(Doc(d["cursor"])["firstBatch"])) {
            El i = Doc(e)["_id"];
            v.as(v.k(), i);
        }
        B b;
        b.arr("values", v.done());
        tail(b, d);
    }
    void killCursors() {
        A killed, missing;
        std::map<string, std::vector<int64_t>> by;
        for (auto& e : Doc(q.body["cursors"])) {
            int64_t id = e.i64();
            std::lock_guard<std::mutex> l(g_curMx);
            auto i = g_curShard.find(id);
            if (i != g_curShard.end()) {
                by[i->second].push_back(id);
                g_curShard.erase(i);
            } else
                g_curStream.erase(id);
            killed.i64(killed.k(), id);
        }
        for (auto& s : by)
            try {
                A a;
                for (auto id : s.second)
                    a.i64(a.k(), id);
                run(s.first, B().as("killCursors", q.cmd).arr("cursors", a.done()).str("$db", q.dbs).done(), 2);
            } catch (std::exception&) {
            }
        reply(B().arr("cursorsKilled", killed.done())
                  .arr("cursorsNotFound", A().done())
                  .arr("cursorsAlive", A().done())
                  .arr("cursorsUnknown", A().done())
                  .dbl("ok", 1)
                  .done());
    }
    void listDatabases() {
        std::map<string, double> sz;
        auto to = allShards();
        to.push_back("config");
        B x;
        x.i32("listDatabases", 1);
        if (El f = q.body["filter"])
            x.raw(f);
        string cmd = x.str("$db", "admin").done();
        double total = 0;
        for (auto& s : to) {
            string r = run(s, cmd);
            if (!Doc(r)["ok"].truthy()) {
                passError(Doc(r));
                return;
            }
            for (auto& e : Doc(Doc(r)["databases"])) {
                Doc d(e);
                string n = d["name"].str();
                if (n == "local" || ((n == "config" || n == "admin") && s != "config"))
                    continue;
                sz[n] += d["sizeOnDisk"].num();
                total += d["sizeOnDisk"].num();
            }
        }
        A a;
        bool names = q.body["nameOnly"].truthy();
        for (auto& s : sz) {
            B b;
            b.str("name", s.first);
            if (!names)
                b.i64("sizeOnDisk", (int64_t)s.second).b("empty", false);
            a.doc(a.k(), b.done());
        }
        B b;
        b.arr("databases", a.done());
        if (!names)
            b.i64("totalSize", (int64_t)total);
        reply(b.dbl("ok", 1).done());
    }
    string helloBody(bool legacy) {
        static std::atomic<int> ids{1};
        thread_local int id = ids++;
        B b;
        int64_t now =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        b.b(legacy ? "ismaster" : "isWritablePrimary", true);
        if (legacy && q.body.p && q.body["helloOk"].truthy())
            b.b("helloOk", true);
        b.str("msg", "isdbgrid")
            .i32("maxBsonObjectSize", 16777216)
            .i32("maxMessageSizeBytes", 48000000)
            .i32("maxWriteBatchSize", 100000);
        b.key(DATE, "localTime").put(now);
        b.i32("logicalSessionTimeoutMinutes", 30)
            .i32("connectionId", id)
            .i32("minWireVersion", 0)
            .i32("maxWireVersion", 17)
            .b("readOnly", false);
        return b.dbl("ok", 1).done();
    }
    void moveOrSplit() {  // moveChunk, moveRange, split: arguments made into a range of one chunk
        string cmd = q.cmd.key, ns = q.cmd.str(), db = ns.substr(0, ns.find('.'));
        CollP c = coll(db, ns, true);
        if (!c->sharded)
            throw CmdError(118, "NamespaceNotSharded", ns + " is not sharded");
        const Chunk* ch = nullptr;
        string mn, mx;
        auto chunkAt = [&](Doc d) {
            std::vector<std::pair<El, string>> v;
            for (auto& e : d)
                v.emplace_back(e, "");
            return c->chunkFor(v);
        };
        if (El b = q.body["bounds"]) {
            auto i = Doc(b).begin();
            Doc lo(*i);
            ch = chunkAt(lo);
        } else if (El m = q.body["middle"])
            ch = chunkAt(Doc(m));
        else if (El m = q.body["min"])
            ch = chunkAt(Doc(m));
        else if (El f = q.body["find"]) {
            string keep;
            std::vector<std::pair<El, string>> v;
            for (auto& k : c->key) {
                El e;
                eq(Doc(f), k.path, e);
                v.emplace_back(e, "");
                if (k.hashed) {
                    int64_t h = hash64(e);
                    v.back().second.assign((char*)&h, 8);
                    El x;
                    x.type = I64;
                    v.back().first = x;
                }
            }
            for (auto& x : v)
                if (!x.second.empty()) {
                    x.first.val = x.second.data();
                    x.first.end = x.first.val + 8;
                }
            ch = c->chunkFor(v);
        }
        if (!ch)
            throw CmdError(72, "InvalidOptions", cmd + ": give find, bounds, middle or min");
        if (cmd == "split") {
            El mid = q.body["middle"];
            if (!mid)
                throw CmdError(72, "InvalidOptions", "the stand-in splits only at a given \"middle\"");
            A a;
            a.doc(a.k(), Doc(mid).sv());
            B b;
            b.str("splitChunk", ns).str("from", ch->shard).doc("keyPattern", c->keyDoc);
            b.key(OID, "epoch");
            b.s += c->epoch;
            b.ts("timestamp", c->timestamp).doc("min", ch->min).doc("max", ch->max).arr("splitKeys", a.done());
            string r = run(ch->shard, b.str("$db", "admin").done(), 30);
            forget(ns);
            passDoc(r);
            return;
        }
        B b;
        b.str("_configsvrMoveRange", ns)
            .str("toShard", cmd == "moveRange" ? q.body["toShard"].str() : q.body["to"].str());
        El m = q.body["min"], M = q.body["max"];
        b.doc("min", m ? Doc(m).sv() : string_view(ch->min));
        if (M)
            b.raw(M);
        else
            b.doc("max", m ? string_view(ch->max) : string_view(ch->max));
        if (El w = q.body["_waitForDelete"])
            b.b("waitForDelete", w.truthy());
        else if (El w2 = q.body["waitForDelete"])
            b.raw(w2);
        if (cmd != "moveRange" && false)
            b.b("forceJumbo", false);
        string req = b.doc("writeConcern", wcMajority()).str("$db", "admin").done(), r;
        for (int i = 0; i < 40; i++) {
            r = cfg().run(req);
            if (Doc(r)["code"].i64() != 194)
                break;
            usleep(250000);
        }  // BalancerInterrupted: the config server has just started
        forget(ns);
        passDoc(r);
    }

    typedef void (*Fn)(Client&);
    static const std::unordered_map<string, Fn>& table() {
        static const std::unordered_map<string, Fn> t = [] {
            std::unordered_map<string, Fn> m;
            m["insert"] = [](Client& c) { c.write("documents", "clusterInsert"); };
            m["update"] = [](Client& c) { c.write("updates", "clusterUpdate"); };
            m["delete"] = [](Client& c) { c.write("deletes", "clusterDelete"); };
            m["aggregate"] = [](Client& c) { c.toRouterAs("clusterAggregate"); };
            m["find"] = [](Client& c) {
                Req& q = c.q;
                bool plain = !q.inTxn && !q.body["collation"] && !q.body["tailable"].truthy() && q.dbs != "config" &&
                             q.dbs != "admin" && q.dbs != "local";
                if (plain)
                    if (El rp = q.body["$readPreference"])
                        if (El m = Doc(rp)["mode"])
                            plain = m.str() == "primary" || m.str() == "primaryPreferred";
                if (plain)
                    if (El rc = q.body["readConcern"])
                        if (El l = Doc(rc)["level"])
                            plain = l.str() != "snapshot" && l.str() != "available";
                CollP k;
                if (plain) {
                    k = c.want(false);
                    plain = k->dbExists && k->sharded;
                }  // unsharded collections may be views: those go to the router
                if (plain &&
                    c.aimed(
                        [&](const CollP& x) { return x->sharded ? c.aim(x, Doc(q.body["filter"]), false) : string(); },
                        false, true, "find", true))
                    return;
                c.toRouterAs("clusterFind");
            };
            m["getMore"] = [](Client& c) {
                string s;
                {
                    std::lock_guard<std::mutex> l(g_curMx);
                    auto i = g_curShard.find(c.q.cmd.i64());
                    if (i != g_curShard.end())
                        s = i->second;
                }
                if (s.empty()) {
                    c.toRouterAs("clusterGetMore");
                    return;
                }
                try {
                    Conn& u = c.toShard(s);
                    u.send(c.rewrite("getMore"));
                    string_view m = c.wait(u);
                    c.pass(m);
                    if (!Doc(replyBody(m)["cursor"])["id"].i64()) {
                        std::lock_guard<std::mutex> l(g_curMx);
                        g_curShard.erase(c.q.cmd.i64());
                    }
                } catch (NetError& e) {
                    if (c.cl.fd < 0)
                        throw;
                    c.error(6, "HostUnreachable", e.what());
                }
            };
            m["killCursors"] = [](Client& c) { c.killCursors(); };
            m["findAndModify"] = m["findandmodify"] = [](Client& c) {
                Req& q = c.q;
                if (!c.aimed(
                        [&](const CollP& x) {
                            El f = q.body["query"];
                            if (!x->dbExists)
                                return string();
                            return x->sharded ? (f ? c.aim(x, Doc(f), false) : string()) : x->primary;
                        },
                        true, q.hasTxnNumber, q.cmd.key, false, c.wc()))
                    throw CmdError(61, "ShardKeyNotFound",
                                   "Query for sharded findAndModify must contain the shard key");
            };
            m["commitTransaction"] = m["abortTransaction"] = [](Client&) {};  // never reached: see serve()
            m["count"] = [](Client& c) { c.count(); };
            m["distinct"] = [](Client& c) { c.distinct(); };
            m["explain"] = [](Client& c) {
                Doc in(c.q.cmd);
                El f = in.first();
                string k = f.key;
                if (k == "find" || k == "aggregate" || k == "update" || k == "delete")
                    k = "cluster" + string(1, (char)toupper(k[0])) + k.substr(1);
                B b;
                bool first = true;
                for (auto& e : in) {
                    if (first) {
                        b.as(k, e);
                        first = false;
                    } else
                        b.raw(e);
                }
                B o;
                o.doc("explain", b.done());
                first = true;
                for (auto& e : c.q.body) {
                    if (first) {
                        first = false;
                        continue;
                    }
                    o.raw(e);
                }
                c.passDoc(c.run("", o.done()));
            };
            // collections and indexes
            m["create"] = [](Client& c) {
                CollP k = c.want(true);
                string r;
                for (int i = 0; i < 20; i++) {
                    r = c.run(k->primary, close(c.plainBody("create", c.q.cmd, c.dbVer(k)), c.q.dbs, true), 30);
                    if (!staleCode((int)Doc(r)["code"].i64()))
                        break;
                    forget(c.q.dbs);
                    k = c.want(true);
                }
                forget(c.q.ns);
                c.passDoc(r);
            };
            m["drop"] = [](Client& c) { c.ddl("_shardsvrDropCollection", c.q.cmd); };
            m["dropDatabase"] = [](Client& c) {
                if (!c.want(false)->dbExists) {
                    c.ok();
                    return;
                }
                c.ddl("_shardsvrDropDatabase", c.q.cmd);
            };
            m["dropIndexes"] = m["deleteIndexes"] = [](Client& c) { c.ddl("_shardsvrDropIndexes", c.q.cmd); };
            m["collMod"] = [](Client& c) { c.ddl("_shardsvrCollMod", c.q.cmd); };
            m["renameCollection"] = [](Client& c) {
                string from = c.q.cmd.str(), coll = from.substr(from.find('.') + 1);
                c.q.dbs = from.substr(0, from.find('.'));
                c.q.ns = from;
                string v = B().str("x", coll).done();
                c.ddl("_shardsvrRenameCollection", Doc(v)["x"]);
            };
            m["createIndexes"] = [](Client& c) { c.everyShard("createIndexes", true); };
            m["listCollections"] = [](Client& c) {
                CollP k = c.want(false);
                if (!k->dbExists) {
                    c.reply(B().doc("cursor", B().i64("id", 0)
                                                  .str("ns", c.q.dbs + ".$cmd.listCollections")
                                                  .arr("firstBatch", A().done())
                                                  .done())
                                .dbl("ok", 1)
                                .done());
                    return;
                }
                string r;
                for (int i = 0; i < 20; i++) {
                    r = c.run(k->primary,
                              close(c.plainBody("listCollections", c.q.cmd, c.dbVer(k), {}, true), c.q.dbs, false));
                    if (!staleCode((int)Doc(r)["code"].i64()))
                        break;
                    forget(c.q.dbs);
                    k = c.want(false);
                }
                if (int64_t id = Doc(Doc(r)["cursor"])["id"].i64()) {
                    std::lock_guard<std::mutex> l(g_curMx);
                    g_curShard[id] = k->primary;
                }
                c.passDoc(r);
            };
            m["listIndexes"] = [](Client& c) {
                if (!c.aimed(
                        [&](const CollP& k) {
                            return !k->dbExists ? string() : k->sharded ? k->chunks[0].shard : k->primary;
                        },
                        false, true, "listIndexes", true))
                    c.error(26, "NamespaceNotFound", "ns does not exist: " + c.q.ns);
            };
            m["listDatabases"] = [](Client& c) { c.listDatabases(); };
            for (auto n : {"dbStats", "dbstats", "collStats", "collstats", "dataSize", "validate"})
                m[n] = [](Client& c) { c.sums(""); };
            // sharding
            m["enableSharding"] = m["enablesharding"] = [](Client& c) {
                El p = c.q.body["primaryShard"];
                c.createDb(c.q.cmd.str(), p.str());
                c.ok();
            };
            m["shardCollection"] = m["shardcollection"] = [](Client& c) {
                string ns = c.q.cmd.str(), db = ns.substr(0, ns.find('.')), cn = ns.substr(ns.find('.') + 1), r;
                if (cn.size() == ns.size())
                    throw CmdError(73, "InvalidNamespace", ns);
                c.q.dbs = db;
                c.q.ns = ns;
                CollP k = c.want(true);
                for (int i = 0; i < 20; i++) {
                    B b;
                    b.str("_shardsvrCreateCollection", cn);
                    for (auto& e : c.q.body) {
                        if (!strcmp(e.key, "key"))
                            b.as("shardKey", e);
                        else
                            for (auto n :
                                 {"unique", "numInitialChunks", "presplitHashedZones", "collation", "timeseries"})
                                if (!strcmp(e.key, n))
                                    b.raw(e);
                    }
                    b.s += c.dbVer(k);
                    b.doc("writeConcern", wcMajority());
                    r = c.run(k->primary, b.str("$db", db).done(), 30);
                    forget(ns);
                    if (!staleCode((int)Doc(r)["code"].i64()))
                        break;
                    forget(db);
                    k = c.want(true);
                }
                if (!Doc(r)["ok"].truthy())
                    c.passError(Doc(r));
                else
                    c.reply(B().str("collectionsharded", ns).dbl("ok", 1).done());
            };
            m["moveChunk"] = m["movechunk"] = m["moveRange"] = m["split"] = [](Client& c) { c.moveOrSplit(); };
            m["addShard"] = m["addshard"] = [](Client& c) {
                c.onConfig("_configsvrAddShard", c.q.cmd);
                loadShards();
            };
            m["removeShard"] = m["removeshard"] = [](Client& c) {
                c.onConfig("_configsvrRemoveShard", c.q.cmd);
                loadShards();
            };
            m["listShards"] = [](Client& c) {
                A a;
                for (auto& s : cfgFind("shards", B().done()))
                    a.doc(a.k(), s);
                c.reply(B().arr("shards", a.done()).dbl("ok", 1).done());
            };
            m["balancerStart"] = [](Client& c) { c.onConfig("_configsvrBalancerStart", c.q.cmd, false); };
            m["balancerStop"] = [](Client& c) { c.onConfig("_configsvrBalancerStop", c.q.cmd, false); };
            m["balancerStatus"] = [](Client& c) { c.onConfig("_configsvrBalancerStatus", c.q.cmd, false); };
            m["balancerCollectionStatus"] = [](Client& c) {
                c.onConfig("_configsvrBalancerCollectionStatus", c.q.cmd, false);
            };
            m["addShardToZone"] = [](Client& c) { c.onConfig("_configsvrAddShardToZone", c.q.cmd); };
            m["removeShardFromZone"] = [](Client& c) { c.onConfig("_configsvrRemoveShardFromZone", c.q.cmd); };
            m["updateZoneKeyRange"] = [](Client& c) { c.onConfig("_configsvrUpdateZoneKeyRange", c.q.cmd); };
            m["configureCollectionBalancing"] = [](Client& c) {
                c.onConfig("_configsvrConfigureCollectionBalancing", c.q.cmd);
            };
            m["setDefaultRWConcern"] = [](Client& c) {
                c.onConfig("setDefaultRWConcern", c.q.cmd);
                loadDefaultWc();
            };
            m["getDefaultRWConcern"] = [](Client& c) { c.onConfig("getDefaultRWConcern", c.q.cmd, false); };
            m["movePrimary"] = [](Client& c) {
                c.q.dbs = c.q.cmd.str();
                c.q.ns = c.q.dbs + ".";
                CollP k = c.want(false);
                string r = c.run(k->primary,
                                 close(c.plainBody("_shardsvrMovePrimary", c.q.cmd, c.dbVer(k)), "admin", true), 60);
                forget(c.q.cmd.str());
                c.passDoc(r);
            };
            m["flushRouterConfig"] = [](Client& c) {
                forget("");
                c.toRouterAs("flushRouterConfig");
            };
            m["isdbgrid"] = [](Client& c) {
                c.reply(B().i32("isdbgrid", 1).str("hostname", "mongos-standin").dbl("ok", 1).done());
            };
            m["hello"] = [](Client& c) { c.reply(c.helloBody(false)); };
            m["isMaster"] = m["ismaster"] = [](Client& c) { c.reply(c.helloBody(true)); };
            // answered by the query router as they are
            for (auto n : {"ping",
                           "buildInfo",
                           "buildinfo",
                           "connectionStatus",
                           "endSessions",
                           "startSession",
                           "refreshSessions",
                           "killSessions",
                           "killAllSessions",
                           "killAllSessionsByPattern",
                           "serverStatus",
                           "getParameter",
                           "setParameter",
                           "getLog",
                           "hostInfo",
                           "getCmdLineOpts",
                           "whatsmyuri",
                           "currentOp",
                           "killOp",
                           "features",
                           "listCommands",
                           "connPoolStats",
                           "configureFailPoint",
                           "waitForFailPoint",
                           "logRotate",
                           "getShardMap",
                           "usersInfo",
                           "rolesInfo",
                           "saslStart",
                           "saslContinue",
                           "logout",
                           "getClusterParameter",
                           "availableQueryOptions",
                           "lockInfo",
                           "getLastError",
                           "getnonce"})
                m[n] = [](Client& c) { c.toRouterAs(c.q.cmd.key); };
            return m;
        }();
        return t;
    }

    bool parse(string_view m) {
        q.msg = m;
        q.id = rd<int32_t>(m.data() + 4);
        q.seqs.clear();
        q.seqBytes = {};
        q.body = Doc();
        q.inTxn = q.startTxn = q.hasTxnNumber = q.wantsNoReply = q.hasWc = false;
        q.flags = rd<uint32_t>(m.data() + 16);
        size_t end = m.size() - (q.flags & 1 ? 4 : 0), i = 20;
        const char* seq0 = nullptr;
        string_view before, after;
        q.wantsNoReply = q.flags & 2;
        static thread_local string joined;
        joined.clear();
        while (i < end) {
            char k = m[i];
            size_t n = rd<uint32_t>(m.data() + i + 1);
            if (n < 5 || i + 1 + n > end)
                return false;
            if (k == 0) {
                q.body = Doc(m.data() + i + 1);
                if (m[i + n] != 0)
                    return false;
            } else if (k == 1) {
                const char* id = m.data() + i + 5;
                size_t l = strnlen(id, n - 4);
                q.seqs.push_back({string_view(id, l), string_view(id + l + 1, n - 4 - l - 1), m.substr(i, 1 + n)});
            } else
                return false;
            i += 1 + n;
        }
        (void)seq0;
        if (!q.body)
            return false;
        if (q.seqs.size() == 1)
            q.seqBytes = q.seqs[0].whole;
        else if (q.seqs.size() > 1) {
            for (auto& s : q.seqs)
                joined.append(s.whole);
            q.seqBytes = joined;
        }
        q.cmd = q.body.first();
        if (!q.cmd)
            return false;
        q.db = El();
        for (auto& e : q.body) {
            if (e.key[0] == '$') {
                if (!strcmp(e.key, "$db"))
                    q.db = e;
            } else if (e.key[0] == 't') {
                if (!strcmp(e.key, "txnNumber"))
                    q.hasTxnNumber = true;
            } else if (e.key[0] == 'w') {
                if (!strcmp(e.key, "writeConcern"))
                    q.hasWc = Doc(e).len() > 5;
            } else if (e.key[0] == 'a') {
                if (!strcmp(e.key, "autocommit"))
                    q.inTxn = true;
            } else if (e.key[0] == 's') {
                if (!strcmp(e.key, "startTransaction"))
                    q.startTxn = e.truthy();
            }
        }
        q.dbs.assign(q.db.sv());
        q.ns = q.dbs;
        q.ns += '.';
        q.ns.append(q.cmd.sv());
        return !q.dbs.empty();
    }
    void legacy(string_view m) {  // OP_QUERY: the old handshake only
        const char* ns = m.data() + 20;
        size_t l = strnlen(ns, m.size() - 20);
        if (20 + l + 9 + 5 > m.size())
            throw NetError("bad OP_QUERY");
        q.body = Doc(ns + l + 9);
        El f = q.body.first();
        if (!strcmp(f.key, "$query")) {
            q.body = Doc(f);
            f = q.body.first();
        }
        string k = f.key, d;
        if (k == "isMaster" || k == "ismaster" || k == "hello")
            d = helloBody(k != "hello");
        else
            d = B().dbl("ok", 0)
                    .str("errmsg", "Unsupported OP_QUERY command: " + k)
                    .i32("code", 352)
                    .str("codeName", "UnsupportedOpQueryCommand")
                    .done();
        string r;
        int32_t h[9] = {(int32_t)(36 + d.size()), g_req++, rd<int32_t>(m.data() + 4), 1, 8, 0, 0, 0, 1};
        r.append((char*)h, 36);
        r += d;
        cl.send(r);
    }
    void serve() {
        try {
            for (;;) {
                string_view m = cl.msg();
                int32_t op = rd<int32_t>(m.data() + 12);
                if (op == 2004) {
                    legacy(m);
                    continue;
                }
                if (op != 2013)
                    throw NetError("unsupported opcode");
                if (m.size() < 26 || !parse(m))
                    throw NetError("bad OP_MSG");
                auto f = table().find(q.cmd.key);
                if (f == table().end()) {
                    error(59, "CommandNotFound", string("no such command: '") + q.cmd.key + "' (mongos stand-in)");
                    continue;
                }
                try {
                    if (q.inTxn)
                        throw CmdError(20, "IllegalOperation",
                                       "the mongos stand-in has no transactions (mongod's own router cannot run them "
                                       "for outside clients); use a real mongos or a replica set");
                    f->second(*this);
                } catch (CmdError& e) {
                    error(e.code, e.name, e.what());
                } catch (NetError& e) {
                    if (cl.fd < 0 || q.wantsNoReply)
                        throw;
                    logf("%s: %s", q.cmd.key, e.what());
                    if (router.fd < 0)
                        throw;
                    error(6, "HostUnreachable", e.what());
                }
            }
        } catch (std::exception& e) {
            logf("connection ends: %s", e.what());
        }
    }
};

int main(int argc, char** argv) {
    int port = 27017;
    string bind = "127.0.0.1", pidfile;
    for (int i = 1; i < argc; i++) {
        string a = argv[i];
        auto next = [&] {
            if (++i >= argc) {
                fprintf(stderr, "%s needs a value\n", a.c_str());
                exit(2);
            }
            return string(argv[i]);
        };
        if (a == "--port")
            port = atoi(next().c_str());
        else if (a == "--bind_ip")
            bind = next();
        else if (a == "--configdb")
            g_config = next();
        else if (a == "--router")
            g_router = next();
        else if (a == "--pidfilepath")
            pidfile = next();
        else if (a == "-v")
            g_verbose = true;
        else {
            fprintf(stderr,
                    "usage: mongos-standin --configdb RS/HOST:PORT[,..] --router HOST:PORT [--port P] [--bind_ip IP] "
                    "[--pidfilepath F] [-v]\n");
            return 2;
        }
    }
    if (g_config.empty() || g_router.empty()) {
        fprintf(stderr, "--configdb and --router are needed\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in sa{};
    sa.sin_family = AF_INET;
    sa.sin_port = htons(port);
    inet_pton(AF_INET, bind.c_str(), &sa.sin_addr);
    if (::bind(s, (sockaddr*)&sa, sizeof sa) || listen(s, 1024)) {
        perror("mongos-standin: listen");
        return 1;
    }
    if (!pidfile.empty())
        if (FILE* f = fopen(pidfile.c_str(), "w")) {
            fprintf(f, "%d\n", (int)getpid());
            fclose(f);
        }
    for (int tries = 0;; tries++)
        try {
            loadShards();
            break;
        } catch (std::exception& e) {
            if (tries > 5) {
                fprintf(stderr, "mongos-standin: no config server: %s\n", e.what());
                return 1;
            }
        }
    loadDefaultWc();
    std::thread([] {
        for (;;) {
            sleep(5);
            loadDefaultWc();
        }
    }).detach();
    fprintf(stderr, "mongos-standin: listening on %s:%d\n", bind.c_str(), port);
    for (;;) {
        int fd = accept4(s, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE)
                usleep(10000);
            continue;
        }
        try {
            std::thread([fd] {
                Client c(fd);
                c.serve();
            }).detach();
        } catch (std::exception&) {
            ::close(fd);
        }
    }
}
