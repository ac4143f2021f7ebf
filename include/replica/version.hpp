#ifndef REPLICA_VERSION_HPP
#define REPLICA_VERSION_HPP

// The version of the library, in one place: both builds read the three numbers from this file, and
// a program can compare them at compile time.
//
// Before 1.0.0 a change of the minor number may break source compatibility. From 1.0.0 on only a
// change of the major number may.

#if __cplusplus < 202002L // else hundreds of lines, of which none says it
#error "replica needs C++20: compile with -std=c++20"
#endif // C++20

#include <string>

namespace replica {

/// From 1.0.0 on: raised when source breaks.
inline constexpr int version_major = 0;
/// Raised when something is added.
inline constexpr int version_minor = 1;
/// Raised when something is mended.
inline constexpr int version_patch = 0;

/// The version as text, such as "0.1.0".
[[nodiscard]] inline std::string version_text() {
    return std::to_string(version_major) + '.' + std::to_string(version_minor) + '.' +
           std::to_string(version_patch);
}

} // namespace replica

#endif // REPLICA_VERSION_HPP
