#include <replica/send/source.hpp>

#define BOOST_TEST_MODULE source
#include <replica/send/whole.hpp>

#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;

template <class Kind>
struct Sender : Duo<Kind> {
    Sender() { this->nodes.put_many(0, this->name, "row", 2); }

    /// Calls `action(source, deadline)`.
    void with_source(auto action) {
        this->with_task([&](auto& task, const Device& /*device*/) {
            detail::DatabaseSource source(task);
            static_assert(SnapshotSource<decltype(source)>);
            action(source, this->soon());
            return 0;
        });
    }

    [[nodiscard]] std::vector<std::string> copies() {
        std::vector<std::string> names;
        const std::string tmp = this->device() + "/tmp";
        if (this->here().disk.stat(tmp)) {
            for (const Entry& entry : this->here().disk.list(tmp)) {
                names.push_back(entry.name);
            }
        }
        return names;
    }

    [[nodiscard]] std::string bytes() { return this->here().disk.content(this->path())->bytes; }
};

using Containers = Sender<ContainerKind>;

std::string all_of(const Snapshot auto& snapshot) {
    return snapshot.read(0, static_cast<std::size_t>(snapshot.size()) + 1);
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_small_database_is_read_into_memory, Kind, Kinds) {
    Sender<Kind> sender;
    sender.with_source([&](auto& source, Instant deadline) {
        const auto snapshot = source.snapshot(deadline);
        BOOST_TEST(source.path() == sender.path());
        BOOST_TEST(sender.copies().empty());
        BOOST_TEST(snapshot.size() == std::ssize(sender.bytes()));
        BOOST_TEST((all_of(snapshot) == sender.bytes()));
        BOOST_TEST((snapshot.read(4096, 10) == sender.bytes().substr(4096, 10)));
        const std::string before = sender.bytes();
        sender.nodes.put(0, sender.name, "late");
        BOOST_TEST((all_of(snapshot) == before)); // as of one moment
        BOOST_TEST((all_of(source.snapshot(deadline)) == sender.bytes()));
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(one_reading_and_one_digest_serve_all_peers_until_somebody_writes,
                              Kind, Kinds) {
    Sender<Kind> sender;
    int digested = 0;
    const auto digest = [&] { return std::to_string(++digested); };
    sender.with_task([&](auto& task, const Device& /*device*/) {
        const auto snapshot = [&] { return detail::DatabaseSource(task).snapshot(sender.soon()); };
        const auto first = snapshot();
        static_assert(DigestedSnapshot<std::decay_t<decltype(first)>>);
        const auto second = snapshot();
        BOOST_TEST(task.image.use_count() == 3);
        BOOST_TEST(first.digest(digest) == "1");
        BOOST_TEST(second.digest(digest) == "1");
        BOOST_TEST((all_of(second) == sender.bytes()));
        const std::string before = sender.bytes();
        sender.nodes.put(0, sender.name, "late");
        const auto third = snapshot();
        BOOST_TEST(third.digest(digest) == "2");
        BOOST_TEST((all_of(third) == sender.bytes()));
        BOOST_TEST((all_of(first) == before));
        BOOST_TEST(first.digest(digest) == "1");
        return 0;
    });
    BOOST_TEST(digested == 2);
}

BOOST_AUTO_TEST_CASE(a_new_id_of_the_database_is_in_what_is_sent_next) {
    Containers sender;
    sender.with_task([&](auto& task, const Device& /*device*/) {
        const auto before = all_of(detail::DatabaseSource(task).snapshot(sender.soon()));
        renew_id(task, "test");
        const auto after = all_of(detail::DatabaseSource(task).snapshot(sender.soon()));
        BOOST_TEST((before.find(task.info.id) == std::string::npos));
        BOOST_TEST((after.find(task.info.id) != std::string::npos));
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(the_digest_of_a_copy_is_made_by_whoever_asks) {
    Containers sender;
    sender.with_source([&](auto& source, Instant deadline) {
        BOOST_REQUIRE(source.copy(deadline).has_value());
        int digested = 0;
        const auto digest = [&] { return std::to_string(++digested); };
        const auto snapshot = source.snapshot(deadline);
        BOOST_TEST(snapshot.digest(digest) == "1");
        BOOST_TEST(snapshot.digest(digest) == "2");
    });
}

BOOST_AUTO_TEST_CASE(a_large_database_is_copied_and_the_copy_goes_with_its_last_user) {
    Containers sender;
    sender.nodes.put_many(0, sender.name, "more", 60'000);
    BOOST_REQUIRE(sender.here().disk.stat(sender.path())->size > 4 << 20);
    sender.with_source([&](auto& source, Instant deadline) {
        const auto snapshot = source.snapshot(deadline);
        BOOST_TEST(sender.copies().size() == 1U);
        BOOST_TEST(sender.copies()[0].ends_with(".copy"));
        BOOST_TEST(snapshot.size() == sender.here().disk.stat(source.path())->size);
        BOOST_TEST((all_of(snapshot) == sender.here().disk.content(source.path())->bytes));
        BOOST_TEST(snapshot.read(snapshot.size(), 10).empty());
        const std::string copy = source.path();
        BOOST_TEST(copy != sender.path());
        static_cast<void>(source.snapshot(deadline)); // of the same copy
        BOOST_TEST(source.path() == copy);
    });
    BOOST_TEST(sender.copies().empty());
}

BOOST_AUTO_TEST_CASE(a_copy_that_was_asked_for_is_what_is_sent_from_then_on) {
    Containers sender;
    sender.with_source([&](auto& source, Instant deadline) {
        BOOST_REQUIRE(source.copy(deadline).has_value());
        BOOST_TEST(source.path().ends_with(".copy"));
        sender.nodes.put(0, sender.name, "late");
        BOOST_TEST((all_of(source.snapshot(deadline)) ==
                    sender.here().disk.content(source.path())->bytes));
    });
    BOOST_TEST(sender.copies().empty());
}

BOOST_AUTO_TEST_CASE(
    a_copy_that_would_use_the_reserve_is_not_made_and_is_no_fault_of_the_database) {
    Containers sender;
    sender.nodes.put_many(0, sender.name, "more", 60'000);
    sender.settings.fallocate_reserve = {1000, false};
    auto& disk = sender.here().disk;
    disk.mount(sender.device(), 8 << 20);
    const auto no_space = [](const Failure& failure) { return failure.error() == Error::no_space; };
    sender.with_source([&](auto& source, Instant deadline) {
        BOOST_TEST((source.copy(deadline).error().code == Error::no_space));
        BOOST_CHECK_EXCEPTION(static_cast<void>(source.snapshot(deadline)), Failure, no_space);
        BOOST_CHECK_NO_THROW(source.rethrow());
    });
    BOOST_TEST(sender.copies().empty());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_the_database_is_thrown_again_once_the_peer_is_done) {
    Containers sender;
    sender.with_source([&](auto& source, Instant deadline) {
        BOOST_CHECK_NO_THROW(source.rethrow());
        sender.here().disk.remove(sender.path());
        const auto moved = [](const Failure& failure) { return failure.error() == Error::moved; };
        BOOST_CHECK_EXCEPTION(static_cast<void>(source.snapshot(deadline)), Failure, moved);
        BOOST_CHECK_EXCEPTION(source.rethrow(), Failure, moved);
    });
}
