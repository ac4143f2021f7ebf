#ifndef REPLICA_ANSWER_HPP
#define REPLICA_ANSWER_HPP

// Answers of the receiver that carry no data, in the form that a stock server gives them.

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

} // namespace replica::answer

#endif // REPLICA_ANSWER_HPP
