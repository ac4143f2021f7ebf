#ifndef REPLICA_TEST_FUZZ_DOOR_HPP
#define REPLICA_TEST_FUZZ_DOOR_HPP

// A door is where bytes of others come in. Each has a function object that takes any bytes and
// throws Broken if the code behind the door does not keep its word. libFuzzer calls it from
// <door>.cpp; replay.cpp calls it in the ordinary tests with what libFuzzer has found worth
// keeping.

#include <replica/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace replica::fuzz {

/// The code behind a door has not kept its word.
struct Broken : std::logic_error {
    using std::logic_error::logic_error;
};

inline void require(bool kept, const std::string& word) {
    if (!kept) {
        throw Broken(word);
    }
}

/// The input as text.
[[nodiscard]] inline std::string_view bytes_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Calls `read`. False if it throws a Failure that `may_be` allows. Whatever else it throws is not
/// caught.
template <std::invocable Read, std::predicate<Error> Allowed>
[[nodiscard]] bool accepts(Read read, Allowed may_be) {
    try {
        read();
        return true;
    } catch (const Failure& failure) {
        require(may_be(failure.error()), std::string("refused as ") + failure.what());
        return false;
    }
}

/// Errors that tell a peer or an operator that he sent nonsense.
[[nodiscard]] inline bool is_bad_input(Error error) {
    return error == Error::bad_request || error == Error::bad_reply || error == Error::bad_name ||
           error == Error::bad_config || error == Error::too_large;
}

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_DOOR_HPP
