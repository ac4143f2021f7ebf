#ifndef REPLICA_DAEMON_LEDGER_FILE_HPP
#define REPLICA_DAEMON_LEDGER_FILE_HPP

// What a service knows of databases at rest (send/ledger.hpp), kept for the next one. The file is
// there only while no service runs: one that begins takes it away, one that ends writes it, one
// that is killed leaves none. It is not synced: after a loss of power it is of another boot.

#include <replica/error.hpp>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace replica::daemon {

/// Lost or unreadable, it costs one pass over all databases. Thread safety: one thread.
class LedgerFile {
public:
    /// `boot`: another text after each start of the machine. Empty if that is not known; then
    /// nothing is kept.
    explicit LedgerFile(std::string path, std::string boot = this_boot())
        : path_(std::move(path)), boot_(std::move(boot)) {}

    /// What keep() was given last, once; empty if there is nothing of this boot.
    [[nodiscard]] std::string take() const {
        std::string text = content_of(path_);
        if (std::remove(path_.c_str()) != 0 || boot_.empty() || !text.starts_with(boot_)) {
            return {};
        }
        return text.erase(0, boot_.size());
    }

    /// Throws Failure with io if the file cannot be written.
    void keep(const std::string& text) const {
        if (boot_.empty()) {
            return;
        }
        const std::string fresh = path_ + ".new";
        std::ofstream file(fresh, std::ios::binary);
        file << boot_ << text;
        file.close();
        if (!file || std::rename(fresh.c_str(), path_.c_str()) != 0) {
            static_cast<void>(std::remove(fresh.c_str()));
            throw Failure(Error::io, path_ + ": cannot be written");
        }
    }

private:
    [[nodiscard]] static std::string content_of(const std::string& path) {
        std::ostringstream text; // a read that fails ends it
        text << std::ifstream(path, std::ios::binary).rdbuf();
        return std::move(text).str();
    }

    [[nodiscard]] static std::string this_boot() {
        return content_of("/proc/sys/kernel/random/boot_id");
    }

    std::string path_;
    std::string boot_;
};

} // namespace replica::daemon

#endif // REPLICA_DAEMON_LEDGER_FILE_HPP
