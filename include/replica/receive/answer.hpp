#ifndef REPLICA_RECEIVE_ANSWER_HPP
#define REPLICA_RECEIVE_ANSWER_HPP

// Answers of the receiver that carry no data, in the form of a stock server's.

#include <replica/error.hpp>
#include <replica/transport.hpp>

#include <string>
#include <utility>

namespace replica::answer {

inline constexpr const char* html_type = "text/html; charset=UTF-8";

[[nodiscard]] inline Reply text(int status, std::string body) {
    return {status, "text/plain", std::move(body), {}};
}

[[nodiscard]] inline Reply html(int status, const std::string& title, const std::string& body) {
    return {status, html_type, "<html><h1>" + title + "</h1><p>" + body + "</p></html>", {}};
}

[[nodiscard]] inline Reply not_found() {
    return html(404, "Not Found", "The resource could not be found.");
}

[[nodiscard]] inline Reply accepted() {
    return html(202, "Accepted", "The request is accepted for processing.");
}

/// To what was meant for another file.
[[nodiscard]] inline Reply replaced() {
    return text(503, "the database was replaced since it was asked");
}

/// 507 with a phrase that says why: an unmounted device needs a handoff, a full one must not get
/// one (defect 21).
[[nodiscard]] inline Reply no_storage(const std::string& body, std::string reason) {
    Reply reply = html(507, "Insufficient Storage", body);
    reply.reason = std::move(reason);
    return reply;
}

/// The answer to a failed request on `device`. 500 is our own fault and goes to the log.
[[nodiscard]] inline Reply failure(const Failure& failure, const std::string& device) {
    const std::string what = failure.what();
    switch (failure.error()) {
    case Error::bad_request:
    case Error::bad_name:
        return text(400, what);
    case Error::too_large:
        return text(413, what);
    case Error::missing:
        return not_found();
    case Error::locked:
    case Error::moved:
    case Error::timed_out:
        return text(503, what);
    case Error::no_space:
        return no_storage(what, device + " is full");
    default:
        return text(500, what);
    }
}

} // namespace replica::answer

#endif // REPLICA_RECEIVE_ANSWER_HPP
