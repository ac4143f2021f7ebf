#ifndef REPLICA_ERROR_HPP
#define REPLICA_ERROR_HPP

// Every way in which a step of replication can fail has one name here. The two things that a caller
// does about some of them are conditions. Swift searches the text of an exception for "no such
// table" (Swift 2.30.1: _replicate_object, ReplicatorRpc.sync); a code cannot be misread.

#include <boost/assert/source_location.hpp>
#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/error_condition.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace replica {

/// What went wrong. The value 0 means no error, as everywhere with `error_code`.
enum class Error {
    // Waiting.
    timed_out = 1, ///< A deadline passed. Try again on the next pass.
    stopped,       ///< A stop was asked for; nothing is wrong.
    held_back,     ///< The peer failed recently, or has enough to do: not for a while.

    // The wire.
    connect_failed,  ///< No connection within conn_timeout.
    connection_lost, ///< The connection broke before the whole answer was read.
    bad_reply,       ///< The answer does not follow the protocol; nothing was applied.
    transfer_failed, ///< The FileSync (rsync, or a copy) did not deliver the file.

    // A peer's answer.
    peer_refused, ///< 4xx other than 404: the peer takes the request for wrong.
    peer_failed,  ///< 5xx other than 507.
    not_mounted,  ///< 507: the peer's device is out of use. A handoff is asked instead.

    // A database.
    not_a_database, ///< The file is no SQLite file.
    corrupt,        ///< SQLite or a check of ours found the file damaged.
    missing_table,  ///< A core table, or the one row of the stat table, does not exist.
    unknown_schema, ///< The file has tables, views or triggers that neither Swift nor we make.
    wrong_place,    ///< The account and container inside do not hash to the file's name.
    locked,         ///< Somebody else held the lock until the deadline.
    moved,          ///< The file was replaced or removed under an open handle.
    wal,            ///< The file has a write-ahead log; only rollback journals are allowed.

    // Files.
    missing,  ///< No such file, directory or database.
    exists,   ///< Something has that name already, and was left as it was.
    no_space, ///< The disk is full, or below its reserve.
    io,       ///< Any other failure of the disk.

    // Input.
    bad_name,    ///< A name from outside that must not become a path.
    bad_request, ///< A body, row or argument of the wrong shape or type.
    too_large,   ///< A body would take more memory than a request may.
    bad_config,  ///< An option, section or ring file that cannot be used.
};

/// What to do about an error. Compare as `code == Condition::quarantine`.
enum class Condition {
    hand_off = 1, ///< The peer's device is out of use: ask one handoff instead.
    quarantine,   ///< The local file is beyond use: move it aside, and let peers send a new one.
};

} // namespace replica

template <>
struct boost::system::is_error_code_enum<replica::Error> : std::true_type {};
template <>
struct boost::system::is_error_condition_enum<replica::Condition> : std::true_type {};

namespace replica {

namespace detail {

class ErrorCategory final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "replica"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Error>(value)) {
        case Error::timed_out:
            return "timed out";
        case Error::stopped:
            return "stopped";
        case Error::held_back:
            return "left alone for a while";
        case Error::connect_failed:
            return "cannot connect";
        case Error::connection_lost:
            return "connection lost";
        case Error::bad_reply:
            return "unusable reply";
        case Error::transfer_failed:
            return "file transfer failed";
        case Error::peer_refused:
            return "refused by the peer";
        case Error::peer_failed:
            return "the peer failed";
        case Error::not_mounted:
            return "remote drive not mounted";
        case Error::not_a_database:
            return "not a database";
        case Error::corrupt:
            return "corrupt database";
        case Error::missing_table:
            return "a core table is missing";
        case Error::unknown_schema:
            return "unknown schema";
        case Error::wrong_place:
            return "the name inside is not that of the file";
        case Error::locked:
            return "locked";
        case Error::moved:
            return "replaced or removed meanwhile";
        case Error::wal:
            return "has a write-ahead log";
        case Error::missing:
            return "does not exist";
        case Error::exists:
            return "exists already";
        case Error::no_space:
            return "no space left";
        case Error::io:
            return "input/output error";
        case Error::bad_name:
            return "unsafe name";
        case Error::bad_request:
            return "bad request";
        case Error::too_large:
            return "too large";
        case Error::bad_config:
            return "bad configuration";
        }
        return "unknown error";
    }

    [[nodiscard]] bool
    equivalent(int value, const boost::system::error_condition& condition) const noexcept override;
};

class ConditionCategory final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "replica.condition"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Condition>(value)) {
        case Condition::hand_off:
            return "ask a handoff";
        case Condition::quarantine:
            return "quarantine the database";
        }
        return "unknown condition";
    }
};

inline constexpr ErrorCategory error_category_instance{};
inline constexpr ConditionCategory condition_category_instance{};

} // namespace detail

/// The code of an Error, of the category "replica". Boost.System calls it.
[[nodiscard]] inline boost::system::error_code make_error_code(Error error) noexcept {
    return {static_cast<int>(error), detail::error_category_instance};
}

/// The condition that codes are compared with. Boost.System calls it.
[[nodiscard]] inline boost::system::error_condition
make_error_condition(Condition condition) noexcept {
    return {static_cast<int>(condition), detail::condition_category_instance};
}

inline bool
detail::ErrorCategory::equivalent(int value,
                                  const boost::system::error_condition& condition) const noexcept {
    if (condition.category() != condition_category_instance) {
        return condition == boost::system::error_condition(value, *this);
    }
    switch (static_cast<Error>(value)) {
    case Error::not_mounted:
        return condition.value() == static_cast<int>(Condition::hand_off);
    case Error::not_a_database:
    case Error::corrupt:
    case Error::missing_table:
        return condition.value() == static_cast<int>(Condition::quarantine);
    default:
        return false;
    }
}

/// Thrown by the layers that touch SQLite or files. `what()` names the file and the reason,
/// `code()` says which reaction fits. Caught once per database (send/replicate.hpp) and once per
/// request (rpc.hpp). Thread safety: any thread; it does not change.
class Failure : public std::runtime_error {
public:
    /// `what` names the file or peer and the reason, for people.
    Failure(Error error, const std::string& what)
        : std::runtime_error(what), code_(make_error_code(error)) {}

    [[nodiscard]] const boost::system::error_code& code() const noexcept {
        return code_;
    } ///< Which reaction fits.
    /// The same as an enumerator.
    [[nodiscard]] Error error() const noexcept { return static_cast<Error>(code_.value()); }

private:
    boost::system::error_code code_;
};

/// Why there is no value: a code for programs, and a text for people that names the peer or file.
struct Fault {
    boost::system::error_code code; ///< An Error, or a code of the system.
    std::string what;               ///< Names the peer or file and the reason.
};

/// A value, or the reason why there is none. Failures of peers travel this way, not as exceptions.
template <class T>
using Result = boost::system::result<T, Fault>;

/// What Result::value() throws if there is none. Boost.System calls it.
[[noreturn]] inline void throw_exception_from_error(const Fault& fault,
                                                    const boost::source_location&) {
    throw boost::system::system_error(fault.code, fault.what);
}

} // namespace replica

#endif // REPLICA_ERROR_HPP
