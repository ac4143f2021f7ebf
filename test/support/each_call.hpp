#ifndef REPLICA_TEST_SUPPORT_EACH_CALL_HPP
#define REPLICA_TEST_SUPPORT_EACH_CALL_HPP

// Makes the same machine again and again and lets one call of its disk fail, or the power go, or a
// client write, each time at another call. SQLite makes hundreds of calls for one change, of which
// many in a row are alike: of those one is enough.

#include <replica/error.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// The calls of a disk as long as the value lives. Takes the disk's hook.
class Calls {
public:
    explicit Calls(const SimDisk& disk) : disk_(disk) {
        disk_.on_call(
            [this](SimCall call, const std::string& path) { calls_.emplace_back(call, path); });
    }
    Calls(const Calls&) = delete;
    Calls& operator=(const Calls&) = delete;
    ~Calls() { disk_.on_call(nullptr); }

    /// The numbers of calls, 1 being the first, that differ in what their failure means. Of those
    /// by which SQLite looks in one transaction one counts, each time another of them; of writes to
    /// one file in a row, too.
    [[nodiscard]] std::vector<std::uint64_t> to_fail() const {
        return one_of_each([](const Call& before, const Call& now) {
            return (looks(before.first) && looks(now.first) && !ends(before.first)) ||
                   are_writes(before, now);
        });
    }

    /// The numbers of calls before which a power cut finds another state: of all that only look one
    /// counts, unless a peer may have been asked in between, and of writes that are not synced.
    [[nodiscard]] std::vector<std::uint64_t> to_cut() const {
        const auto only_looks = [](SimCall call) {
            return looks(call) || call == SimCall::list || call == SimCall::stat ||
                   call == SimCall::is_mount || call == SimCall::space || call == SimCall::read ||
                   call == SimCall::read_link || call == SimCall::is_held;
        };
        return one_of_each([&](const Call& before, const Call& now) {
            return (only_looks(before.first) && only_looks(now.first) && !ends(before.first)) ||
                   are_writes(before, now);
        });
    }

    /// The numbers of calls that differ in what others may do before them: of what SQLite does
    /// under one and the same lock, reads in a row count as one, and writes in a row.
    [[nodiscard]] std::vector<std::uint64_t> to_interrupt() const {
        return one_of_each([](const Call& before, const Call& now) {
            return (reads(before.first) && reads(now.first)) || are_writes(before, now);
        });
    }

private:
    using Call = std::pair<SimCall, std::string>;

    [[nodiscard]] static bool reads(SimCall call) {
        return call == SimCall::vfs_read || call == SimCall::vfs_size ||
               call == SimCall::vfs_access || call == SimCall::vfs_has_moved ||
               call == SimCall::vfs_is_reserved;
    }
    [[nodiscard]] static bool looks(SimCall call) {
        return reads(call) || call == SimCall::vfs_lock || call == SimCall::vfs_unlock;
    }
    /// A transaction. No peer is asked within one.
    [[nodiscard]] static bool ends(SimCall call) { return call == SimCall::vfs_unlock; }
    [[nodiscard]] static bool are_writes(const Call& before, const Call& now) {
        return now.first == SimCall::vfs_write && before == now;
    }

    [[nodiscard]] std::vector<std::uint64_t> one_of_each(const auto& are_alike) const {
        std::vector<std::uint64_t> numbers;
        for (std::size_t begin = 0; begin < calls_.size();) {
            std::size_t end = begin + 1;
            while (end < calls_.size() && are_alike(calls_[end - 1], calls_[end])) {
                ++end;
            }
            numbers.push_back(begin + numbers.size() % (end - begin) + 1);
            begin = end;
        }
        return numbers;
    }

    SimDisk disk_;
    std::vector<Call> calls_;
};

/// Whether `act` came through on the node.
template <class Node, class Act>
bool comes_through(Node& node, Act& act) {
    try {
        act(node);
        return true;
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return false;
    }
}

/// Runs `act` on fresh nodes, each time with another call of the disk failing, with these errors in
/// turn, and once with none. After each, `check(node, done)`. Returns how many calls failed.
template <class Make, class Act, class Check>
int with_each_call_failing(Make make, Act act, Check check,
                           const std::vector<Error>& errors = {Error::io}) {
    std::vector<std::uint64_t> numbers;
    {
        auto node = make();
        const Calls calls(node->disk);
        const bool done = comes_through(*node, act);
        numbers = calls.to_fail();
        check(*node, done);
    }
    for (const std::uint64_t n : numbers) {
        auto node = make();
        node->disk.fail_at(n, errors[n % errors.size()]);
        const bool done = comes_through(*node, act);
        BOOST_TEST(!node->disk.fault_pending());
        node->disk.clear_faults();
        BOOST_TEST_CONTEXT("call " << n << " failed") {
            check(*node, done);
        }
    }
    return static_cast<int>(numbers.size());
}

/// The same with the power going before a call, and a restart.
template <class Make, class Act, class Check>
int with_a_crash_before_each_call(Make make, Act act, Check check) {
    std::vector<std::uint64_t> numbers;
    {
        auto node = make();
        node->disk.settle();
        bool done = false;
        {
            const Calls calls(node->disk);
            done = comes_through(*node, act);
            numbers = calls.to_cut();
        }
        node->disk.crash();
        check(*node, done);
    }
    for (const std::uint64_t n : numbers) {
        auto node = make();
        node->disk.settle();
        node->disk.halt_at(n);
        const bool done = comes_through(*node, act);
        BOOST_TEST(!node->disk.fault_pending());
        node->disk.crash();
        BOOST_TEST_CONTEXT("the power went before call " << n) {
            check(*node, done);
        }
    }
    return static_cast<int>(numbers.size());
}

/// The same with a client that writes "late" before a call through `write(node)`, which tells
/// whether it was acknowledged. `check(node, acknowledged)`.
template <class Make, class Act, class Write, class Check>
int with_a_write_before_each_call(Make make, Act act, Write write, Check check) {
    std::vector<std::uint64_t> numbers;
    {
        auto node = make();
        {
            const Calls calls(node->disk);
            static_cast<void>(comes_through(*node, act));
            numbers = calls.to_interrupt();
        }
        check(*node, false);
    }
    for (const std::uint64_t n : numbers) {
        auto node = make();
        std::uint64_t calls = 0;
        bool acknowledged = false;
        node->disk.on_call([&](SimCall, const std::string&) {
            if (++calls == n) {
                acknowledged = write(*node);
                calls = n; // its own do not count
            }
        });
        static_cast<void>(comes_through(*node, act));
        node->disk.on_call(nullptr);
        BOOST_TEST_CONTEXT("a client wrote before call " << n) {
            check(*node, acknowledged);
        }
    }
    return static_cast<int>(numbers.size());
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_EACH_CALL_HPP
