#ifndef REPLICA_ACCOUNT_KIND_HPP
#define REPLICA_ACCOUNT_KIND_HPP

// Accounts and containers are replicated by one flow. What differs is named by a server type:
// names, ports, the types of info and row, and a few hooks in which a container does more than an
// account (container/kind.hpp). Each hook is called at one place of the flow; for accounts they
// do nothing.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/send/decide.hpp>
#include <replica/send/walk.hpp>
#include <replica/words/info.hpp>
#include <replica/words/members.hpp>
#include <replica/words/message.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace replica {

/// Accounts: a row is a container.
struct AccountKind {
    using info_type = AccountInfo;
    using row_type = ContainerRow;
    static constexpr std::string_view name = "account";
    static constexpr std::string_view datadir = "accounts";
    static constexpr std::uint16_t default_port = 6202;

    /// Sender: what to add to `sync`.
    [[nodiscard]] static std::optional<PolicyArguments> sync_arguments(const AccountInfo& /*info*/,
                                                                       std::size_t /*policies*/) {
        return std::nullopt;
    }

    /// Both sides: take over what the other knows better before the ways are compared. Returns
    /// whether `database` was changed.
    template <class D>
    static bool adopt_policy(D& /*database*/, const AccountInfo& /*local*/,
                             const AccountInfo& /*remote*/, Timestamp /*now*/) {
        return false;
    }

    /// Whether whoever keeps the sums above this database has been told its last state (Swift:
    /// report_up_to_date). Only then may an expired database be deleted.
    [[nodiscard]] static bool reported(const AccountInfo& /*info*/) { return true; }

    /// Live rows in the file, whoever they count for: an expired database has none.
    [[nodiscard]] static std::int64_t live_rows(const AccountInfo& info) { return info.count; }

    /// Sender, before rows are compared: what else goes over. Returns what went wrong with that.
    template <class T, class C>
    static std::optional<Fault> before_rows(T& /*task*/, C& /*peer*/,
                                            const AccountInfo& /*remote*/) {
        return std::nullopt;
    }

    /// Receiver, merging a whole file: what else the database that goes has.
    template <class D>
    static void merge_more(D& /*from*/, D& /*into*/) {}

    /// Whether peers get the rows of this database.
    [[nodiscard]] static bool sends_rows(const AccountInfo& /*info*/) { return true; }

    /// Whether this is all that is left of a database whose rows have gone elsewhere.
    [[nodiscard]] static bool is_sharded(const AccountInfo& /*info*/) { return false; }

    /// Whether a copy that has been handed off may go.
    [[nodiscard]] static bool may_remove(const AccountInfo& /*info*/) { return true; }

    /// Whether a copy that is expired may go.
    [[nodiscard]] static bool may_expire(const AccountInfo& /*info*/) { return true; }

    /// What the hooks below remember during a pass.
    struct pass_state {};

    /// A local device has been looked at and can be used in this pass.
    template <class P>
    static void device_ready(P& /*pass*/, const Device& /*device*/) {}

    /// Its peers are dealt with, each with its outcome; the database itself is still there.
    template <class T>
    static void after_database(T& /*task*/, std::span<const decide::Outcome> /*outcomes*/) {}

    /// A database is about to be removed. False: not now, but at the end of the pass.
    template <class P>
    [[nodiscard]] static bool before_removal(P& /*pass*/, const LocalDatabase& /*place*/,
                                             const AccountInfo& /*info*/) {
        return true;
    }

    /// All databases are dealt with. `run(places)` replicates some of them once more.
    template <class P, class Run>
    static void end_of_pass(P& /*pass*/, Run /*run*/) {}
};

} // namespace replica

#endif // REPLICA_ACCOUNT_KIND_HPP
