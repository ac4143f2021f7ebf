#ifndef REPLICA_EXAMPLE_QUICKSTART_PACKAGES_HPP
#define REPLICA_EXAMPLE_QUICKSTART_PACKAGES_HPP

// Real input that every Debian machine has: the packages installed by dpkg, with their files, sizes
// and MD5 sums. A package becomes a container, a file becomes a row of it.

#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace quickstart {

/// The time from which all loaded rows count, 2023-11-14, so that every run loads the same.
inline constexpr replica::Timestamp base_time{1'700'000'000 * replica::Timestamp::ticks_per_second,
                                              0};

/// An installed package. `name` may end in an architecture, as in "libc6:amd64".
struct Package {
    std::string name;
    std::string version;
    std::vector<replica::ObjectRow> files;
};

/// The packages that dpkg knows on this machine.
class InstalledPackages {
public:
    explicit InstalledPackages(std::filesystem::path admin = "/var/lib/dpkg")
        : admin_(std::move(admin)) {
        read_versions();
    }

    /// The names of the packages, sorted.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(admin_ / "info")) {
            if (entry.path().extension() == ".list") {
                names.push_back(entry.path().stem().string());
            }
        }
        std::ranges::sort(names);
        return names;
    }

    /// A package and those of its regular files that exist: a minimal system leaves some out.
    [[nodiscard]] Package read(const std::string& name) const {
        Package package{name, version_of(name), {}};
        const auto sums = read_sums(name);
        std::ifstream list(admin_ / "info" / (name + ".list"));
        for (std::string path; std::getline(list, path);) {
            std::error_code missing;
            const auto status = std::filesystem::symlink_status(path, missing);
            if (missing || !std::filesystem::is_regular_file(status)) {
                continue;
            }
            replica::ObjectRow row;
            row.name = path.substr(1);
            row.created_at = time_of(package.files.size()).internal();
            row.size = static_cast<std::int64_t>(std::filesystem::file_size(path, missing));
            const auto sum = sums.find(row.name);
            row.etag = sum != sums.end() ? sum->second : sum_of(path);
            row.content_type = "application/octet-stream";
            package.files.push_back(std::move(row));
        }
        return package;
    }

private:
    /// Files are a hundredth of a second apart.
    [[nodiscard]] static replica::Timestamp time_of(std::size_t index) {
        return base_time.plus(replica::Seconds(0.01 * static_cast<double>(index)));
    }

    /// dpkg has no sum for files that may change. A file that cannot be read counts as empty.
    [[nodiscard]] static std::string sum_of(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        const std::string content{std::istreambuf_iterator<char>(file), {}};
        return replica::to_hex(replica::md5(content));
    }

    /// Lines are "<sum>  <path without its first slash>".
    [[nodiscard]] std::map<std::string, std::string> read_sums(const std::string& name) const {
        constexpr std::size_t digits = 32;
        std::map<std::string, std::string> sums;
        std::ifstream file(admin_ / "info" / (name + ".md5sums"));
        for (std::string line; std::getline(file, line);) {
            if (line.size() > digits + 2) {
                sums.emplace(line.substr(digits + 2), line.substr(0, digits));
            }
        }
        return sums;
    }

    void read_versions() {
        std::ifstream status(admin_ / "status");
        std::string package;
        const auto value = [](const std::string& line, std::string_view key) {
            return line.starts_with(key) ? line.substr(key.size()) : std::string();
        };
        for (std::string line; std::getline(status, line);) {
            if (auto name = value(line, "Package: "); !name.empty()) {
                package = std::move(name);
            } else if (auto version = value(line, "Version: "); !version.empty()) {
                versions_[package] = std::move(version);
            }
        }
    }

    [[nodiscard]] std::string version_of(const std::string& name) const {
        const auto found = versions_.find(name.substr(0, name.find(':')));
        return found != versions_.end() ? found->second : "unknown";
    }

    std::filesystem::path admin_;
    std::map<std::string, std::string> versions_;
};

} // namespace quickstart

#endif // REPLICA_EXAMPLE_QUICKSTART_PACKAGES_HPP
