// The smallest model of each policy, as a user could write it: a clock, a ring of two devices, a
// transport that is a function call, a transfer that is a copy, a store of notes in memory. Two
// replicas of a note book, each with a note that the other does not have, become equal.

#include <replica/kind.hpp>
#include <replica/replica.hpp>
#include <replica/sim/disk.hpp>
#include <replica/words/members.hpp>

#include <algorithm>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace replica;

/// Clock: time begins with the program and runs at real speed. With a faster clock the wait for a
/// real thread would look like a stall.
struct OwnClock {
    Instant start = SystemClock().monotonic();

    [[nodiscard]] Timestamp now() const { return Timestamp{}.plus(monotonic() - start); }
    [[nodiscard]] Instant monotonic() const { return SystemClock().monotonic(); }
    bool sleep_until(Instant until, const std::stop_token& stop) const {
        return SystemClock().sleep_until(until, stop);
    }
};
static_assert(Clock<OwnClock>);

/// Ring: one partition, on every device. It never changes, so it is its own version.
struct EveryDevice {
    struct None {
        static std::optional<Device> next() { return std::nullopt; }
    };
    std::vector<Device> all;

    [[nodiscard]] EveryDevice version() const { return *this; }
    [[nodiscard]] const std::vector<Device>& devices() const { return all; }
    [[nodiscard]] std::uint32_t partition_count() const { return 1; }
    [[nodiscard]] std::uint32_t partition(std::string_view /*hash*/) const { return 0; }
    [[nodiscard]] std::vector<Device> primaries(std::uint32_t /*partition*/) const { return all; }
    [[nodiscard]] None handoffs(std::uint32_t /*partition*/) const { return {}; }
};
static_assert(Ring<EveryDevice> && RingVersion<EveryDevice>);

/// Transport: the other side is a function.
struct Call {
    struct To {
        std::function<Reply(const Request&)> handler;
        Device target;
        [[nodiscard]] const Device& device() const { return target; }
        Result<Reply> send(const Request& request, Instant, const std::stop_token& stop) {
            if (stop.stop_requested()) {
                return Fault{Error::stopped, target.device + ": stopped"};
            }
            return handler(request);
        }
    };
    std::function<Reply(const Request&)> handler;
    [[nodiscard]] To peer(const Device& device) const { return {handler, device}; }
};
static_assert(Transport<Call>);

/// FileSync: the store itself copies to the tmp of the target.
struct CopyTo {
    std::string root;
    Result<Sent> send(auto& source, const Upload& upload, Instant deadline, std::stop_token) const {
        const std::string tmp = root + '/' + upload.target.device + "/tmp/" + upload.name;
        try {
            source.copy_to(tmp, deadline);
            return Sent{};
        } catch (const Failure& failure) {
            return Fault{failure.code(), upload.target.device + ": " + failure.what()};
        }
    }
};
static_assert(FileSync<CopyTo>);

/// What a note book keeps. A note is a row of an account: its name is the text.
struct Notes {
    AccountInfo info;
    std::vector<ContainerRow> rows; // ROWIDs are positions from 1: no note is ever changed
    std::map<std::pair<std::string, Direction>, std::int64_t> points;
};

/// Database: a note book. It is used by one process only and needs no locks.
struct NoteBook {
    using info_type = AccountInfo;
    using row_type = ContainerRow;
    using lock_type = SimLock;
    std::shared_ptr<Notes> notes;

    void set_deadline(Instant) {}      // nothing is ever locked
    bool mend_sums() { return false; } // they are made anew with each note
    void require_sound(Instant) {}
    AccountInfo info() { return notes->info; }
    std::vector<ContainerRow> items_since(std::int64_t point, std::int64_t count) {
        auto rows = std::span(notes->rows).subspan(static_cast<std::size_t>(std::max(point, {})));
        rows = rows.first(std::min(rows.size(), static_cast<std::size_t>(count)));
        return {rows.begin(), rows.end()};
    }
    void merge_items(std::span<const ContainerRow> rows, std::string_view source,
                     Timestamp /*forgotten*/ = {}) { // nothing is reclaimed
        for (ContainerRow row : rows) {
            auto& point = notes->points[{std::string(source), Direction::incoming}];
            point = std::max(point, row.rowid);
            if (std::ranges::count(notes->rows, row.name, &ContainerRow::name) == 0) {
                row.rowid = notes->info.max_row = ++notes->info.count;
                notes->rows.push_back(row);
            }
        }
        std::set<std::string> names;
        std::ranges::transform(notes->rows, std::inserter(names, names.end()), &ContainerRow::name);
        notes->info.hash.clear();
        for (const std::string& name : names) {
            notes->info.hash = to_hex(md5(notes->info.hash, name));
        }
    }
    std::int64_t sync_point(std::string_view id, Direction direction) {
        const auto found = notes->points.find({std::string(id), direction});
        return found == notes->points.end() ? -1 : found->second;
    }
    std::vector<SyncPoint> sync_points(Direction) { return {}; }
    void together(auto changes) { changes(); } // nothing is ever on a disk
    Timestamp last_heard() { return {}; }
    void set_sync_point(const SyncPoint& point, Direction direction) {
        notes->points[{point.remote_id, direction}] = point.sync_point;
    }
    void merge_sync_points(std::span<const SyncPoint> points, Direction direction) {
        for (const SyncPoint& point : points) {
            set_sync_point(point, direction);
        }
    }
    void merge_status(NoteBook&) {}
    void renew_id() { notes->info.id += '\''; }
    void adopt(std::string_view) { renew_id(); }
    void merge_timestamps(const Timestamps&) {} // a note book is never deleted
    void merge_metadata(std::string_view, Timestamp) {}
    Timestamp reclaim(const info_type&, Timestamp, Timestamp) { return {}; }
    void copy_to(const std::string& path, Instant) {
        throw Failure(Error::io, path + ": no files");
    }
    std::shared_ptr<Notes> exclusive(Instant) { return notes; }
    bool commit_pending(const SimLock&) { return false; }
    std::uint64_t version() { return notes->rows.size(); }
};
static_assert(Database<NoteBook>);

/// Kind: names, and nothing in any hook. The rows are those of an account: a name and its times.
struct NoteKind : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "note";
    static constexpr std::string_view datadir = "notes";
    static constexpr std::uint16_t default_port = 6209;
};
static_assert(Kind<NoteKind>);

/// Broker: the note books of one node. The walk finds them by their files.
struct NoteStore {
    using kind_type = NoteKind;
    using database_type = NoteBook;
    using disk_type = SimDisk;
    using clock_type = OwnClock;
    OwnClock time;
    SimDisk files;
    std::shared_ptr<std::map<std::string, NoteBook>> books =
        std::make_shared<std::map<std::string, NoteBook>>();

    NoteBook open(const std::string& path, Instant) {
        const auto found = books->find(path);
        return found == books->end() ? throw Failure(Error::missing, path) : found->second;
    }
    NoteBook open_upload(const std::string& path, Instant deadline) { return open(path, deadline); }
    SimDisk& disk() { return files; }
    OwnClock& clock() { return time; }

    NoteBook create(const std::string& path, const std::string& id, const std::string& note) {
        Notes notes;
        notes.info.account = "notes";
        notes.info.id = id;
        files.write(path, "a note book");
        NoteBook book{std::make_shared<Notes>(notes)};
        const ContainerRow row{-1, note, "1402464677.04188", "0", 0, 0, 0, 0};
        book.merge_items(std::span(&row, 1), "me");
        return books->emplace(path, book).first->second;
    }
};
static_assert(Broker<NoteStore>);

int main() {
    Settings settings;
    settings.mount_check = false;
    settings.hash_path_suffix = "a secret of the cluster";
    Device one;
    one.id = 0;
    one.replication_ip = "a";
    one.device = "sda";
    Device other = one;
    other.id = 1;
    other.replication_ip = "b";
    const EveryDevice ring{{one, other}};
    const std::string hash = HashPath{"", settings.hash_path_suffix}("/notes");
    const std::string path = settings.devices + "/sda/" +
                             storage_directory(NoteKind::datadir, "0", hash) + '/' + hash + ".db";
    NoteStore here;
    NoteStore there;
    NoteBook mine = here.create(path, "here", "buy milk");
    NoteBook theirs = there.create(path, "there", "call Ann");

    const auto node = [&](NoteStore& store, NoteStore& peer, const std::string& name) {
        RpcServer<NoteStore> server(settings, peer);
        const Call call{
            [server](const Request& request) mutable { return server.handle(request); }};
        return Replicator(settings, store, ring, call, CopyTo{settings.devices}, store.time,
                          [name](const Device& device) { return device.replication_ip == name; });
    };
    node(here, there, "a").run_once();
    node(there, here, "b").run_once();
    for (NoteBook* book : {&mine, &theirs}) {
        std::cout << book->info().id << ':';
        for (const ContainerRow& row : book->items_since(-1, 100)) {
            std::cout << ' ' << row.name << ';';
        }
        std::cout << '\n';
    }
    return mine.info().hash == theirs.info().hash && mine.info().count == 2 ? 0 : 1;
}
