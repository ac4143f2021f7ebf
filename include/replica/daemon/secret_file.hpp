// Reads the file of the secrets that the nodes of a cluster share. A mistake in it must not go
// unnoticed: a daemon with the wrong secret gets no row to its peers and takes none of theirs.
#ifndef REPLICA_DAEMON_SECRET_FILE_HPP
#define REPLICA_DAEMON_SECRET_FILE_HPP

#include <replica/daemon/config.hpp>
#include <replica/disk/descriptor.hpp>
#include <replica/disk/posix.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace replica::daemon {

/// Whoever sees one request can try secrets at home, so a short one is soon found.
inline constexpr std::size_t secret_size_min = 16;

/// The secrets in the text of a file: one a line, one or two of them, the first of which signs.
/// Empty lines do not count; there are no comments. Throws ConfigError that names `path` and the
/// line, and no secret.
[[nodiscard]] inline std::vector<std::string> parse_secrets(std::string_view text,
                                                            const std::string& path) {
    std::vector<std::string> secrets;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::string secret(trimmed(line));
        const std::string where = path + ":" + std::to_string(number) + ": ";
        if (secret.empty()) {
            continue;
        }
        // A comment would be a secret that others can guess, and a mark of the byte order one that
        // other nodes do not have.
        if (secret.starts_with('#') || secret.starts_with("\xEF\xBB\xBF")) {
            throw ConfigError(where + "only secrets, no comment and no mark of a byte order");
        }
        if (secret.size() < secret_size_min) {
            throw ConfigError(where + "a secret has at least " + std::to_string(secret_size_min) +
                              " characters");
        }
        if (secrets.size() == 2) {
            throw ConfigError(where + "at most two secrets are valid at a time");
        }
        secrets.push_back(secret);
    }
    if (secrets.empty()) {
        throw ConfigError(path + ": no secret in this file");
    }
    return secrets;
}

/// Reads a file of secrets; none if the path is empty. Throws ConfigError if there is no such file,
/// everybody may read or write it, or parse_secrets does not take it; Failure with io if it cannot
/// be read.
[[nodiscard]] inline std::vector<std::string> read_secrets(const std::string& path) {
    constexpr std::size_t most = 64 * 1024;
    if (path.empty()) {
        return {};
    }
    const auto status = stat_path(path);
    if (!status || !S_ISREG(status->st_mode)) {
        throw ConfigError(path + ": no such file");
    }
    if ((status->st_mode & S_IRWXO) != 0) {
        throw ConfigError(path + ": everybody may read or write it; use mode 0640 or 0600");
    }
    return parse_secrets(PosixDisk().read(path, most), path);
}

} // namespace replica::daemon

#endif
