#include <replica/disk/posix.hpp>

#define BOOST_TEST_MODULE disk_posix_locks
#include <replica/local/file_sync.hpp>
#include <replica/replicator.hpp>
#include <replica/rpc.hpp>
#include <replica/send/explain.hpp>
#include <replica/send/first_of.hpp>
#include <replica/send/push_file.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/quarantine.hpp>

#include <boost/test/unit_test.hpp>

#include <support/pending_entry.hpp>
#include <support/sqlite_place.hpp>
#include <support/table_ring.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Lines = std::vector<std::string>;

/// The POSIX locks that this process holds on a file, as the kernel tells: "WRITE 1073741825
/// 1073741825" and the like, sorted. /proc/locks has the same lines, but is not read in one step:
/// while other processes lock and unlock, lines of ours are missing there.
Lines locks_of(std::uint64_t inode) {
    Lines held;
    if (inode == 0) {
        return held;
    }
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
        std::ifstream descriptor(each.path());
        for (std::string line; std::getline(descriptor, line);) {
            std::istringstream words(line);
            std::string label, number, kind, advisory, mode, process, file, first, last;
            words >> label >> number >> kind >> advisory >> mode >> process >> file >> first >>
                last;
            if (label == "lock:" && kind == "POSIX" &&
                file.substr(file.rfind(':') + 1) == std::to_string(inode)) {
                held.push_back(mode + ' ' + first + ' ' + last);
            }
        }
    }
    std::ranges::sort(held);
    return held;
}

/// What a watched disk has seen.
struct Seen {
    std::uint64_t inode = 0; ///< Of the live database; 0: nothing is watched yet.
    std::size_t calls = 0;
    Lines changes;
};

/// A call under way. Notes at its end, also if it throws, that the locks are not what they were.
class Watch {
public:
    Watch(const std::string& call, const std::string& path, Seen& seen)
        : what_(call + ' ' + path), seen_(&seen), before_(locks_of(seen.inode)) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        ++seen_->calls;
        if (locks_of(seen_->inode) != before_) {
            seen_->changes.push_back(what_);
        }
    }

private:
    std::string what_;
    Seen* seen_;
    Lines before_;
};

/// The real disk. Looks at the locks of one file before and after each call.
class WatchedDisk {
public:
    using lock_type = PosixDisk::lock_type;

    explicit WatchedDisk(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}

    [[nodiscard]] auto list(const std::string& path) const {
        const Watch watch("list", path, *seen_);
        return disk_.list(path);
    }
    [[nodiscard]] auto stat(const std::string& path) const {
        const Watch watch("stat", path, *seen_);
        return disk_.stat(path);
    }
    bool is_mount(const std::string& path) const {
        const Watch watch("is_mount", path, *seen_);
        return disk_.is_mount(path);
    }
    Space space(const std::string& path) const {
        const Watch watch("space", path, *seen_);
        return disk_.space(path);
    }
    void make_directories(const std::string& path) const {
        const Watch watch("make_directories", path, *seen_);
        return disk_.make_directories(path);
    }
    [[nodiscard]] auto read_link(const std::string& path) const {
        const Watch watch("read_link", path, *seen_);
        return disk_.read_link(path);
    }
    bool remove(const std::string& path) const {
        const Watch watch("remove", path, *seen_);
        return disk_.remove(path);
    }
    bool remove_empty(const std::string& path) const {
        const Watch watch("remove_empty", path, *seen_);
        return disk_.remove_empty(path);
    }
    bool remove_tree(const std::string& path) const {
        const Watch watch("remove_tree", path, *seen_);
        return disk_.remove_tree(path);
    }
    void sync(const std::string& path) const {
        const Watch watch("sync", path, *seen_);
        return disk_.sync(path);
    }
    [[nodiscard]] auto try_lock(const std::string& path) const {
        const Watch watch("try_lock", path, *seen_);
        return disk_.try_lock(path);
    }
    [[nodiscard]] auto try_hold(const std::string& path) const {
        const Watch watch("try_hold", path, *seen_);
        return disk_.try_hold(path);
    }
    bool is_held(const std::string& path) const {
        const Watch watch("is_held", path, *seen_);
        return disk_.is_held(path);
    }
    [[nodiscard]] std::string read(const std::string& path, std::size_t bytes) const {
        const Watch watch("read", path, *seen_);
        return disk_.read(path, bytes);
    }
    [[nodiscard]] std::string read_from(const std::string& path, std::int64_t offset,
                                        std::size_t bytes) const {
        const Watch watch("read_from", path, *seen_);
        return disk_.read_from(path, offset, bytes);
    }
    void append(const std::string& path, std::string_view text) const {
        const Watch watch("append", path, *seen_);
        disk_.append(path, text);
    }
    void rename(const std::string& from, const std::string& to) const {
        const Watch watch("rename", from, *seen_);
        return disk_.rename(from, to);
    }
    bool rename_new(const std::string& from, const std::string& to) const {
        const Watch watch("rename_new", from, *seen_);
        return disk_.rename_new(from, to);
    }
    void exchange(const std::string& from, const std::string& to) const {
        const Watch watch("exchange", from, *seen_);
        return disk_.exchange(from, to);
    }
    bool make_link(const std::string& from, const std::string& to) const {
        const Watch watch("make_link", from, *seen_);
        return disk_.make_link(from, to);
    }

private:
    PosixDisk disk_;
    std::shared_ptr<Seen> seen_;
};

static_assert(Disk<WatchedDisk>);

using Store = BasicContainerBroker<WatchedDisk, SimClock>;

/// A request is a call of the receiver, in the same process and on the same disk.
struct Direct {
    struct Peer {
        RpcServer<Store> server;
        Device target;
        [[nodiscard]] const Device& device() const { return target; }
        Result<Reply> send(const Request& request, Instant, const std::stop_token&) {
            return server.handle(request);
        }
        [[nodiscard]] bool speaks_ours(Instant, const std::stop_token&) const { return true; }
    };
    RpcServer<Store> server;
    [[nodiscard]] Peer peer(const Device& device) const { return {server, device}; }
};

/// How somebody in this process uses the database at the moment.
enum class Use {
    reads,   ///< SQLite's shared lock.
    writes,  ///< The reserved lock, and the shared one.
    commits, ///< All of them: nobody gets in.
};

/// One node with the devices sda, sdb and sdc, of which the first two are the primaries of
/// partition 0, and a live database on a device. All others have another row each.
struct Node {
    explicit Node(const std::string& live) {
        settings.devices = directory.path();
        settings.mount_check = false;
        settings.per_diff = 1;
        settings.push_files = false;
        const std::vector<std::string> devices{"sda", "sdb", "sdc"};
        for (const std::string& device : devices) {
            const std::int64_t time = 1'600'000'000 + std::ssize(written);
            written.push_back(device);
            store.create(path(device), container_info())
                .put(object("on " + device, Timestamp{time * 100'000, 0}.internal()));
        }
        seen->inode = store.disk().stat(path(live))->inode;
        stock.emplace(path(live));
    }

    /// From now on, until the end.
    void hold(Use use) {
        stock->execute(use == Use::reads    ? "BEGIN"
                       : use == Use::writes ? "BEGIN IMMEDIATE"
                                            : "BEGIN EXCLUSIVE");
        (void)stock->rows("SELECT hash FROM container_info");
        held = locks_of(seen->inode);
        BOOST_REQUIRE(!held.empty());
    }

    /// Calls that the disk saw, none of which has changed a lock; and SQLite's locks are there.
    void require_held(std::size_t calls) const {
        BOOST_TEST(seen->calls >= calls);
        BOOST_TEST(seen->changes == Lines(), boost::test_tools::per_element());
        BOOST_TEST(locks_of(seen->inode) == held, boost::test_tools::per_element());
    }

    [[nodiscard]] std::string path(const std::string& device) const {
        return settings.devices + '/' + device + '/' + storage_directory("containers", "0", hash) +
               '/' + hash + ".db";
    }

    [[nodiscard]] TableRing ring() const {
        std::vector<Device> devices;
        for (const std::string& name : written) {
            Device& device = devices.emplace_back();
            device.id = devices.size() - 1;
            device.device = name;
            device.ip = device.replication_ip = "10.0.0.1";
        }
        return {devices, 2, 0};
    }

    void pass(const std::string& of) {
        const Direct direct{RpcServer<Store>(settings, store)};
        Replicator replicator(settings, store, ring(), direct,
                              FirstOf(PushFileSync(direct, settings, clock),
                                      LocalFileSync<SimClock>(settings.devices, clock)),
                              clock, [&](const Device& device) { return device.device == of; });
        replicator.run_once();
    }

    [[nodiscard]] int ask(const std::string& device, const std::string& body) {
        RpcServer<Store> server(settings, store);
        Request request;
        request.device = device;
        request.partition = "0";
        request.hash = hash;
        request.body = body;
        return server.handle(request).status;
    }

    /// As a stock server acknowledges an object.
    void leave_pending(const std::string& device) {
        write_file(path(device) + ".pending",
                   pending_entry(pickled("pending") + pickled("1600000009.00000") + pickled(1) +
                                 pickled("text/plain") + pickled("etag") + pickled(0)));
    }

    TemporaryDirectory directory;
    Settings settings;
    SimClock clock;
    std::string hash = HashPath{"", ""}("/a/c");
    std::shared_ptr<Seen> seen = std::make_shared<Seen>();
    Store store{WatchedDisk(seen), clock};
    Lines written;
    std::optional<StockConnection> stock;
    Lines held;
};

constexpr Use uses[] = {Use::reads, Use::writes, Use::commits};

} // namespace

BOOST_AUTO_TEST_CASE(a_file_that_is_opened_past_sqlite_loses_its_locks_and_that_is_seen) {
    Node node("sda");
    node.hold(Use::writes);
    (void)node.store.disk().read(node.path("sda"), 100);
    BOOST_TEST(locks_of(node.seen->inode) == Lines());
    BOOST_TEST(node.seen->changes == Lines{"read " + node.path("sda")});
}

BOOST_AUTO_TEST_CASE(a_pass_drops_no_lock_of_what_it_sends) {
    for (const Use use : uses) {
        Node node("sda");
        node.leave_pending("sda");
        node.hold(use);
        node.pass("sda");
        node.require_held(20);
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_pushed_is_read_without_dropping_a_lock) {
    for (const Use use : uses) {
        Node node("sda");
        node.settings.push_files = true;
        PosixDisk().remove_tree(storage::parent(node.path("sdb")));
        node.hold(use);
        node.pass("sda");
        node.require_held(20);
        BOOST_TEST(PosixDisk().stat(node.path("sdb")).has_value() == (use != Use::commits));
    }
}

BOOST_AUTO_TEST_CASE(a_pass_drops_no_lock_of_its_peer) {
    for (const Use use : uses) {
        Node node("sda");
        node.leave_pending("sda");
        node.hold(use);
        node.pass("sdb");
        node.require_held(20);
    }
}

BOOST_AUTO_TEST_CASE(a_pass_drops_no_lock_of_a_copy_that_is_to_leave) {
    for (const Use use : uses) {
        Node node("sdc");
        node.hold(use);
        node.pass("sdc");
        node.require_held(20);
        BOOST_TEST(node.store.disk().stat(node.path("sdc")).has_value());
    }
}

BOOST_AUTO_TEST_CASE(no_request_drops_a_lock_of_the_database_that_it_names) {
    for (const Use use : uses) {
        Node node("sda");
        node.leave_pending("sda");
        const std::string row = R"({"ROWID": 9, "name": "new", "created_at": "1600000010.00000",)"
                                R"( "size": 1, "content_type": "text/plain", "etag": "e",)"
                                R"( "deleted": 0, "storage_policy_index": 0})";
        const std::string tmp = node.settings.devices + "/sda/tmp";
        PosixDisk().make_directories(tmp);
        for (const std::string upload : {"one", "two"}) {
            node.store.open(node.path("sdb"), Instant::max())
                .copy_to(tmp + '/' + upload, Instant::max());
        }
        node.hold(use);
        for (const std::string& body :
             {message::encode(message::Sync::point_query("peer")),
              R"(["merge_items", [)" + row + R"(], "peer"])",
              std::string(R"(["merge_syncs", [{"sync_point": 3, "remote_id": "peer"}]])"),
              std::string(R"(["get_shard_ranges"])"), std::string(R"(["merge_shard_ranges", []])"),
              std::string(R"(["rsync_then_merge", "one"])"),
              std::string(R"(["complete_rsync", "two"])")}) {
            const int status = node.ask("sda", body);
            BOOST_TEST_MESSAGE(static_cast<int>(use) << ' ' << status << ' ' << body);
        }
        node.require_held(40);
    }
}

BOOST_AUTO_TEST_CASE(a_look_for_quarantine_drops_no_lock) {
    for (const Use use : uses) {
        Node node("sda");
        node.hold(use);
        Random random(1);
        try {
            const auto soon = node.clock.monotonic() + std::chrono::seconds(5);
            const auto moved = storage::quarantine(node.store, node.path("sda"),
                                                   node.settings.devices + "/sda", random, soon);
            BOOST_TEST(!moved.has_value());
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::locked));
        }
        node.require_held(3);
    }
}

BOOST_AUTO_TEST_CASE(an_explanation_drops_no_lock) {
    for (const Use use : uses) {
        Node node("sda");
        node.leave_pending("sda");
        node.hold(use);
        Direct direct{RpcServer<Store>(node.settings, node.store)};
        try {
            (void)explain(node.path("sda"), node.settings, node.store, node.ring(), direct,
                          [](const Device& device) { return device.device == "sda"; });
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::locked));
        }
        node.require_held(3);
    }
}
