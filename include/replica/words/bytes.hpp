#ifndef REPLICA_WORDS_BYTES_HPP
#define REPLICA_WORDS_BYTES_HPP

// Values as they lie in memory, one after the other in a string: for what only the same program on
// the same machine reads again, or to make a digest of.

#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace replica::words {

/// A value without padding, pointers to elsewhere, or two forms of one value.
template <class T>
concept Bytes = std::has_unique_object_representations_v<T>;

template <Bytes T>
void append_bytes(std::string& out, const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes to characters
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Reads a value from the front of `rest` and moves `rest` past it. Throws std::out_of_range if
/// `rest` is too short.
template <Bytes T>
[[nodiscard]] T take_bytes(std::string_view& rest) {
    if (rest.size() < sizeof(T)) {
        throw std::out_of_range("the bytes end too early");
    }
    T value{};
    std::memcpy(&value, rest.data(), sizeof value);
    rest.remove_prefix(sizeof value);
    return value;
}

} // namespace replica::words

#endif // REPLICA_WORDS_BYTES_HPP
