#include <replica/disk.hpp>

#define BOOST_TEST_MODULE disk
#include <boost/test/unit_test.hpp>

using namespace replica;

namespace {

/// An empty disk: the smallest model. Then one type for each way to miss the concept by a little.
struct Empty {
    struct lock_type {};
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
    std::optional<lock_type> try_lock(const std::string&) { return lock_type{}; }
    std::optional<lock_type> try_hold(const std::string&) { return lock_type{}; }
    bool is_held(const std::string&) { return false; }
};
struct NamesOnly : Empty {
    std::vector<std::string> list(const std::string&) { return {}; }
};
struct SureStat : Empty {
    FileStatus stat(const std::string&) { return {}; }
};
struct ReadsAll : Empty {
    std::string read(const std::string&) { return {}; }
};
struct ReadsFromTheStart : Empty {
    std::string read_from(const std::string&) { return {}; }
};
struct AppendsNothing : Empty {
    void append(const std::string&) {}
};
struct BlindRename : Empty {
    void rename_new(const std::string&, const std::string&) {} // replaced or not?
};
struct SilentRemove : Empty {
    void remove(const std::string&) {}
};
struct CountingRemove : Empty {
    std::uintmax_t remove_tree(const std::string&) { return 0; }
};
struct ExchangeOfOne : Empty {
    void exchange(const std::string&) {} // with what?
};
struct BlindLink : Empty {
    void make_link(const std::string&, const std::string&) {} // was there something?
};
struct SureLink : Empty {
    std::string read_link(const std::string&) { return {}; }
};
struct WaitingLock : Empty {
    lock_type try_lock(const std::string&) { return {}; }
};
struct PinnedLock : Empty {
    struct lock_type {
        lock_type(const lock_type&) = delete;
        lock_type& operator=(const lock_type&) = delete;
    };
    std::optional<lock_type> try_lock(const std::string&) { return {}; }
    std::optional<lock_type> try_hold(const std::string&) { return {}; }
};
struct WaitingHold : Empty {
    lock_type try_hold(const std::string&) { return {}; }
};
struct SilentHold : Empty {
    void is_held(const std::string&) {}
};
struct Single : Empty {
    Single(const Single&) = delete;
    Single& operator=(const Single&) = delete;
};

static_assert(Disk<Empty>);
static_assert(!Disk<NamesOnly>);
static_assert(!Disk<SureStat>);
static_assert(!Disk<ReadsAll>);
static_assert(!Disk<ReadsFromTheStart>);
static_assert(!Disk<AppendsNothing>);
static_assert(!Disk<BlindRename>);
static_assert(!Disk<SilentRemove>);
static_assert(!Disk<CountingRemove>);
static_assert(!Disk<ExchangeOfOne>);
static_assert(!Disk<BlindLink>);
static_assert(!Disk<SureLink>);
static_assert(!Disk<WaitingLock>);
static_assert(!Disk<PinnedLock>);
static_assert(!Disk<WaitingHold>);
static_assert(!Disk<SilentHold>);
static_assert(!Disk<Single>);

} // namespace

BOOST_AUTO_TEST_CASE(an_entry_is_a_name_and_what_it_stands_for) {
    BOOST_TEST((Entry{"a", true} == Entry{"a", true}));
    BOOST_TEST((Entry{"a", true} != Entry{"a", false}));
    BOOST_TEST((Entry{"a", true} != Entry{"b", true}));
}

BOOST_AUTO_TEST_CASE(every_part_of_a_status_counts_when_two_are_compared) {
    const FileStatus status{
        .device = 1, .inode = 2, .size = 3, .modified_ns = 4, .directory = false};
    FileStatus same = status;
    BOOST_TEST((same == status));
    const auto differs = [&](auto member, auto value) {
        FileStatus other = status;
        other.*member = value;
        return other != status;
    };
    BOOST_TEST(differs(&FileStatus::device, 9U)); // another disk was mounted here
    BOOST_TEST(differs(&FileStatus::inode, 9U));  // another file was renamed over it
    BOOST_TEST(differs(&FileStatus::size, 9));
    BOOST_TEST(differs(&FileStatus::modified_ns, 9));
    BOOST_TEST(differs(&FileStatus::directory, true));
    BOOST_TEST(differs(&FileStatus::regular, true));
}
