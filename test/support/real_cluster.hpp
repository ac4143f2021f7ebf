#ifndef REPLICA_TEST_SUPPORT_REAL_CLUSTER_HPP
#define REPLICA_TEST_SUPPORT_REAL_CLUSTER_HPP

// The cluster of a scenario as it is outside of tests: SQLite files in a temporary directory, HTTP
// and rsync on loopback, a node on each of 127.0.0.1, 127.0.0.2, ... Only the clock can be set
// forward. All in one process, so that a story can stop at any point and look at every file.

#include "damage.hpp"
#include "of_kind.hpp"
#include "pending_entry.hpp"
#include "rsync_daemon.hpp"
#include "shifted_clock.hpp"
#include "sqlite_place.hpp"
#include "story_cluster.hpp"
#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>
#include <replica/disk/descriptor.hpp>
#include <replica/disk/posix.hpp>
#include <replica/process/rsync.hpp>
#include <replica/replica.hpp>
#include <replica/send/first_of.hpp>
#include <replica/send/push_file.hpp>

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// A free port that stays this node's own while its server is down: bound, but never listened on.
/// A server that sets SO_REUSEADDR may listen on it meanwhile.
class ReservedPort {
public:
    explicit ReservedPort(const std::string& ip)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        ::sockaddr_in address{};
        address.sin_family = AF_INET;
        BOOST_REQUIRE(::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) == 1);
        ::socklen_t size = sizeof address;
        auto* const generic = reinterpret_cast<::sockaddr*>(&address);
        const int yes = 1;
        BOOST_REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
        BOOST_REQUIRE(::bind(socket_.get(), generic, size) == 0);
        BOOST_REQUIRE(::getsockname(socket_.get(), generic, &size) == 0);
        number_ = ntohs(address.sin_port);
    }

    [[nodiscard]] std::uint16_t number() const { return number_; }

private:
    Descriptor socket_;
    std::uint16_t number_ = 0;
};

/// Waits of HTTP and rsync know only the system's clock: their deadlines are as much later as the
/// clock was set forward, which no story waits for.
template <class Kind>
class RealCluster : public StoryCluster<RealCluster<Kind>, Kind> {
    using Base = StoryCluster<RealCluster<Kind>, Kind>;

public:
    using Broker = BrokerOf<Kind, PosixDisk, ShiftedClock>;
    using Files = FirstOf<PushFileSync<BeastTransport>, RsyncFileSync>;
    using Repl = Replicator<Broker, TableRing, BeastTransport, Files, ShiftedClock, Journal>;
    using typename Base::Info;
    using typename Base::Name;
    using typename Base::Row;

    struct Node {
        Node(const std::string& directory, std::string ip_, ShiftedClock clock)
            : root(directory + "/" + ip_ + "/srv"), ip(std::move(ip_)), port(ip),
              broker(PosixDisk(), std::move(clock)),
              rsync((PosixDisk().make_directories(root + "/sda"), directory + '/' + ip),
                    std::string(Kind::name), root, ip) {}

        std::string root;
        std::string ip;
        ReservedPort port;
        Broker broker;
        RsyncDaemon rsync;
        std::optional<TableRing> ring; ///< Of its own.
        Settings settings;
        DoorOptions door;   ///< What its receiver asks of others, after a restart.
        std::string secret; ///< With which it signs, after a restart.
        Journal journal;
        std::unique_ptr<RpcServer<Broker, Journal>> rpc;
        std::unique_ptr<BeastServer> server; ///< Nothing: the node is down.
        std::unique_ptr<Repl> replicator;
        bool up = true;
    };

    RealCluster(std::size_t nodes, std::size_t replicas, unsigned part_power = 2)
        : ring_(make(nodes), replicas, part_power) {
        for (std::size_t i = 0; i < nodes; ++i) {
            mount(i);
            Settings settings = Base::settings_of(i);
            settings.devices = node(i).root;
            settings.rsync_module = "rsync://{replication_ip}:{meta}/" + std::string(Kind::name);
            settings.conn_timeout = Seconds(30); // this machine may be busy, and nobody is far away
            settings.node_timeout = Seconds(60);
            restart(i, settings);
        }
    }

    [[nodiscard]] Node& node(std::size_t i) { return *nodes_[i]; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] ShiftedClock& clock() { return clock_; }
    [[nodiscard]] const TableRing& ring() const { return ring_; }
    [[nodiscard]] std::string device_path(std::size_t at) const {
        return nodes_[at]->root + "/sda";
    }

    [[nodiscard]] bool has(std::size_t at, const Name& name) {
        return exists(at, Base::path(at, name));
    }
    [[nodiscard]] Info info(std::size_t at, const Name& name) {
        return Base::open(at, name).info();
    }
    [[nodiscard]] std::vector<Row> stored(std::size_t at, const Name& name) {
        return Base::open(at, name).items_since(-1, std::numeric_limits<std::int64_t>::max());
    }
    /// Every page of the file, its schema, and its hash.
    void check(std::size_t at, const Name& name) {
        BOOST_CHECK_NO_THROW(BOOST_TEST(
            !node(at).broker.open_upload(Base::path(at, name), Instant::max()).mend_sums()));
    }

    /// Connections to this node's port are refused.
    void down(std::size_t at) {
        node(at).up = false;
        node(at).server.reset();
    }
    void up(std::size_t at) {
        node(at).up = true;
        serve(node(at));
    }

    /// As operators of containers do: a file in the device declares it mounted.
    void unmount(std::size_t at) { std::filesystem::remove(device_path(at) + "/.ismount"); }
    void mount(std::size_t at) { write_file(device_path(at) + "/.ismount", ""); }

    /// Everything on its device is lost; an empty one is put in.
    void wipe(std::size_t at) {
        PosixDisk().remove_tree(device_path(at) + '/' + std::string(Kind::datadir));
    }

    /// A new replicator and receiver on the same disk, as after a restart of the daemon.
    void restart(std::size_t at) { restart(at, Settings(node(at).settings)); }
    void restart(std::size_t at, const Settings& settings) {
        Node& it = node(at);
        it.settings = settings;
        it.server.reset();
        it.rpc = std::make_unique<RpcServer<Broker, Journal>>(settings, it.broker, it.journal);
        serve(it);
        BeastOptions sending(settings, Kind::name);
        sending.secret = it.secret;
        const BeastTransport transport(sending);
        it.replicator = std::make_unique<Repl>(
            settings, it.broker, it.ring.value_or(ring_), transport,
            Files({transport, settings}, RsyncFileSync(settings, Kind::name)), clock_,
            [ip = it.ip](const Device& device) { return device.replication_ip == ip; }, it.journal);
    }

    /// From now on this node sends whole files to the other one without rsync. Each node has a port
    /// of its own, so it can do so to one other only.
    void pushes(std::size_t at, std::size_t to) {
        node(at).settings.push_files = true;
        node(at).settings.replica_port = node(to).port.number();
        restart(at);
    }

    [[nodiscard]] const TableRing& ring_of(std::size_t at) {
        return node(at).ring ? *node(at).ring : ring_;
    }

    /// From now on this node goes by another ring.
    void reassign(std::size_t at, const TableRing& ring) {
        node(at).ring = ring;
        restart(at);
    }

    /// Calls `action` after each request with this verb, before its sender goes on. It may run a
    /// pass of another node.
    void after(const std::string& verb, const std::function<void()>& action) {
        const std::scoped_lock guard(mutex_);
        after_ = {verb, action};
    }

    /// Calls `action` before each request with this verb is handled.
    void before(const std::string& verb, const std::function<void()>& action) {
        const std::scoped_lock guard(mutex_);
        before_ = {verb, action};
    }

    /// From now on the file is as broken as that.
    void damage(std::size_t at, const Name& name, Error error) {
        const std::string path = Base::path(at, name);
        if (const std::string bytes = damaged(read_file(path), error); !bytes.empty()) {
            write_file(path, bytes);
        } else {
            StockConnection(path).execute(damaging_sql<Kind>(error));
        }
    }

    /// The row is gone from this copy, and nothing but the contents tells.
    void lose(std::size_t at, const Name& name, const std::string& row) {
        StockConnection(Base::path(at, name)).execute(losing_sql<Kind>(row));
    }

    /// A server acknowledges a row that it has not committed yet.
    void put_pending(std::size_t at, const Name& name, const std::string& row) {
        const std::string path = Base::path(at, name);
        const auto lock = PosixDisk().try_lock(path.substr(0, path.rfind('/')));
        BOOST_REQUIRE(lock.has_value());
        write_file(path + ".pending", pending_entry(Base::next_row(row, 1, false)));
    }

    /// The account knows the times of this replica.
    void reported(std::size_t at, const Name& name) {
        StockConnection(Base::path(at, name)).execute(reporting_sql);
    }

    /// Whether there is anything at a path of a node's.
    [[nodiscard]] bool exists(std::size_t /*at*/, const std::string& what) const {
        return std::filesystem::exists(what);
    }

    /// Every path on the device of a node with its bytes.
    [[nodiscard]] std::map<std::string, std::string> dump(std::size_t at) {
        std::map<std::string, std::string> files;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(device_path(at))) {
            files[entry.path()] = entry.is_directory() ? "" : read_file(entry.path());
        }
        return files;
    }

private:
    /// Ports first, since every node must know those of all others.
    [[nodiscard]] std::vector<Device> make(std::size_t count) {
        std::vector<Device> devices;
        for (std::size_t i = 0; i < count; ++i) {
            nodes_.push_back(std::make_unique<Node>(directory_.path(),
                                                    "127.0.0." + std::to_string(i + 1), clock_));
            const Node& made = *nodes_.back();
            devices.push_back(Base::device_of(i, made.ip, made.port.number()));
            devices.back().meta = std::to_string(made.rsync.port());
        }
        return devices;
    }

    void serve(Node& it) {
        ServerOptions options;
        options.ip = it.ip;
        options.port = it.port.number();
        options.name = http::server_name(Kind::name, options.port);
        options.door = it.door;
        it.server = std::make_unique<BeastServer>(options, [this, &it](const Request& request) {
            call(before_, request);
            Reply reply = it.rpc->handle(request);
            call(after_, request);
            return reply;
        });
    }

    using Hook = std::pair<std::string, std::function<void()>>;

    void call(const Hook& hook, const Request& request) {
        std::function<void()> action;
        {
            const std::scoped_lock guard(mutex_);
            if (request.body.find('"' + hook.first + '"') == 1) {
                action = hook.second;
            }
        }
        if (action) {
            action();
        }
    }

    TemporaryDirectory directory_;
    ShiftedClock clock_;
    std::vector<std::unique_ptr<Node>> nodes_;
    TableRing ring_;
    std::mutex mutex_;
    Hook before_;
    Hook after_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_REAL_CLUSTER_HPP
