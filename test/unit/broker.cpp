#include <replica/broker.hpp>

#define BOOST_TEST_MODULE broker
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace replica;

namespace {

struct Guard {};

/// A database that keeps nothing: all that the concept can see.
struct Blank {
    using info_type = AccountInfo;
    using row_type = ContainerRow;
    using lock_type = Guard;

    void set_deadline(Instant) {}
    bool mend_sums() { return false; }
    void require_sound(Instant) {}
    info_type info() { return {}; }
    std::vector<row_type> items_since(std::int64_t, std::int64_t) { return {}; }
    std::int64_t sync_point(std::string_view, Direction) { return -1; }
    std::vector<SyncPoint> sync_points(Direction) { return {}; }
    void together(auto changes) { changes(); }
    Timestamp last_heard() { return {}; }
    void merge_items(std::span<const row_type>, std::string_view, Timestamp) {}
    void merge_sync_points(std::span<const SyncPoint>, Direction) {}
    void set_sync_point(const SyncPoint&, Direction) {}
    void merge_timestamps(const Timestamps&) {}
    void merge_metadata(std::string_view, Timestamp) {}
    void merge_status(const Blank&) {}
    void renew_id() {}
    void adopt(std::string_view) {}
    Timestamp reclaim(const info_type&, Timestamp, Timestamp) { return {}; }
    Guard exclusive(Instant) { return {}; }
    void copy_to(const std::string&, Instant) {}
    bool commit_pending(const lock_type&) { return false; }
    std::uint64_t version() { return 0; }
};
static_assert(Database<Blank>);

// One type for each way to miss Database by a little.
struct Pinned : Blank {
    Pinned() = default;
    Pinned(Pinned&&) = delete; // a handle goes from function to function
    Pinned& operator=(Pinned&&) = delete;
    ~Pinned() = default;
};
static_assert(!Database<Pinned>);

struct PlainInfo : Blank {
    struct info_type { // is no Info: the flow reads its hash, id and points
        std::string hash;
    };
    info_type info() { return {}; }
};
static_assert(!Database<PlainInfo>);

struct InfoIsBase : Blank {
    Info info() { return {}; } // the whole info of its kind, not the part that both kinds have
};
static_assert(!Database<InfoIsBase>);

struct UnlimitedItems : Blank {
    std::vector<row_type> items_since(std::int64_t) { return {}; } // a batch has a limit
};
static_assert(!Database<UnlimitedItems>);

struct ForeignItems : Blank {
    std::vector<ObjectRow> items_since(std::int64_t, std::int64_t) {
        return {};
    } // rows of its own kind
};
static_assert(!Database<ForeignItems>);

struct OneDirection : Blank {
    std::int64_t sync_point(std::string_view) {
        return 0;
    } // what was sent is not what was received
};
static_assert(!Database<OneDirection>);

struct NarrowPoint : Blank {
    int sync_point(std::string_view, Direction) { return 0; } // ROWIDs have 64 bits
};
static_assert(!Database<NarrowPoint>);

struct BarePoints : Blank {
    std::vector<std::int64_t> sync_points(Direction) { return {}; } // a point belongs to a replica
};
static_assert(!Database<BarePoints>);

struct SourcelessMerge : Blank {
    void merge_items(std::span<const row_type>) {} // rows and their point are one transaction
};
static_assert(!Database<SourcelessMerge>);

struct ForeignMerge : Blank {
    void merge_items(std::span<const ObjectRow>, std::string_view, Timestamp) {
    } // rows of its own kind
};
static_assert(!Database<ForeignMerge>);

struct DirectionlessPoints : Blank {
    void merge_sync_points(std::span<const SyncPoint>) {} // which table?
};
static_assert(!Database<DirectionlessPoints>);

struct PointOfWhom : Blank {
    void set_sync_point(std::int64_t, Direction) {}
};
static_assert(!Database<PointOfWhom>);

struct OneTime : Blank {
    void merge_timestamps(Timestamp) {} // three times belong together
};
static_assert(!Database<OneTime>);

struct NoMetadata : Blank {
    void merge_metadata() {} // of what?
};
static_assert(!Database<NoMetadata>);

struct RenewTo : Blank {
    void renew_id(std::string_view) {
    } // a new id is made by the store: nobody else knows all old ones
};
static_assert(!Database<RenewTo>);

struct AdoptAlone : Blank {
    void adopt() {} // from whom?
};
static_assert(!Database<AdoptAlone>);

struct SilentMend : Blank {
    void mend_sums() {} // was anything wrong?
};
static_assert(!Database<SilentMend>);

struct ReclaimByAge : Blank {
    Timestamp reclaim(Timestamp, Timestamp) { return {}; } // what no peer has yet would go
};
static_assert(!Database<ReclaimByAge>);

struct ExclusiveForEver : Blank {
    Guard exclusive() { return {}; } // a wait has an end
};
static_assert(!Database<ExclusiveForEver>);

struct ExclusiveInVain : Blank {
    void exclusive(Instant) {} // what ends the lock?
};
static_assert(!Database<ExclusiveInVain>);

struct CopyForEver : Blank {
    void copy_to(const std::string&) {} // a wait has an end
};
static_assert(!Database<CopyForEver>);

struct UnprovenPending : Blank {
    bool commit_pending() { return false; } // the caller proves that it has the lock
};
static_assert(!Database<UnprovenPending>);

struct MutePending : Blank {
    void commit_pending(const lock_type&) {} // was there anything?
};
static_assert(!Database<MutePending>);

struct SmallVersion : Blank {
    std::uint32_t version() { return 0; } // 32 bits come round
};
static_assert(!Database<SmallVersion>);

// ---- Stores.

struct EmptyDisk {
    using lock_type = Guard;
    std::vector<Entry> list(const std::string&) { return {}; }
    std::optional<FileStatus> stat(const std::string&) { return {}; }
    bool is_mount(const std::string&) { return false; }
    Space space(const std::string&) { return {}; }
    std::string read(const std::string&, std::size_t) { return {}; }
    std::string read_from(const std::string&, std::int64_t, std::size_t) { return {}; }
    void append(const std::string&, std::string_view) {}
    void make_directories(const std::string&) {}
    void rename(const std::string&, const std::string&) {}
    bool rename_new(const std::string&, const std::string&) { return false; }
    void exchange(const std::string&, const std::string&) {}
    bool make_link(const std::string&, const std::string&) { return false; }
    std::optional<std::string> read_link(const std::string&) { return {}; }
    bool remove(const std::string&) { return false; }
    bool remove_empty(const std::string&) { return false; }
    bool remove_tree(const std::string&) { return false; }
    void sync(const std::string&) {}
    std::optional<Guard> try_lock(const std::string&) { return {}; }
    std::optional<Guard> try_hold(const std::string&) { return {}; }
    bool is_held(const std::string&) { return false; }
};
static_assert(Disk<EmptyDisk>);

struct BlankKind : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "account";
    static constexpr std::string_view datadir = "accounts";
    static constexpr std::uint16_t default_port = 6202;
};

struct BlankStore {
    using kind_type = BlankKind;
    using database_type = Blank;
    using disk_type = EmptyDisk;
    using clock_type = SystemClock;

    Blank open(const std::string&, Instant) { return {}; }
    Blank open_upload(const std::string&, Instant) { return {}; }
    EmptyDisk& disk() { return disk_; }
    SystemClock& clock() { return clock_; }

private:
    EmptyDisk disk_;
    SystemClock clock_;
};
static_assert(Broker<BlankStore>);
static_assert(std::same_as<row_type_of<BlankStore>, ContainerRow>);
static_assert(std::same_as<info_type_of<BlankStore>, AccountInfo>);

// One type for each way to miss Broker by a little.
struct Kindless : BlankStore {
    struct kind_type {}; // which directory, which port?
};
static_assert(!Broker<Kindless>);

struct NameIsNumber : BlankStore {
    struct kind_type : BlankKind {
        static constexpr int name = 1;
    };
};
static_assert(!Broker<NameIsNumber>);

struct PortIsText : BlankStore {
    struct kind_type : BlankKind {
        static constexpr std::string_view default_port = "6202";
    };
};
static_assert(!Broker<PortIsText>);

struct OtherLock : BlankStore {
    struct disk_type : EmptyDisk { // its lock would prove nothing to the database
        struct lock_type {};
        std::optional<lock_type> try_lock(const std::string&) { return {}; }
        std::optional<lock_type> try_hold(const std::string&) { return {}; }
    };
    disk_type& disk() { return other_; }

private:
    disk_type other_;
};
static_assert(Disk<OtherLock::disk_type>);
static_assert(!Broker<OtherLock>);

struct DiskByValue : BlankStore {
    EmptyDisk disk() { return {}; } // a store has one disk
};
static_assert(!Broker<DiskByValue>);

struct ClockByValue : BlankStore {
    SystemClock clock() { return {}; }
};
static_assert(!Broker<ClockByValue>);

struct OpensForEver : BlankStore {
    Blank open(const std::string&) { return {}; } // a wait has an end
};
static_assert(!Broker<OpensForEver>);

struct OpensMaybe : BlankStore {
    std::optional<Blank> open(const std::string&, Instant) { return {}; } // why not is thrown
};
static_assert(!Broker<OpensMaybe>);

struct TrustsUploads : BlankStore {
    void open_upload(const std::string&, Instant) {} // they are opened another way
};
static_assert(!Broker<TrustsUploads>);

struct NotEvenADatabase : BlankStore {
    using database_type = SmallVersion;
    SmallVersion open(const std::string&, Instant) { return {}; }
    SmallVersion open_upload(const std::string&, Instant) { return {}; }
};
static_assert(!Broker<NotEvenADatabase>);

} // namespace

BOOST_AUTO_TEST_CASE(a_store_gives_out_databases_of_its_kind) {
    BlankStore store;
    Blank database = store.open("/srv/node/sdb1/x.db", Instant());
    const info_type_of<BlankStore> info = database.info();
    BOOST_TEST(info.max_row == -1);
    BOOST_TEST(database.items_since(-1, 10).empty());
    BOOST_TEST(&store.disk() == &store.disk());
}
