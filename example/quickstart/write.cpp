// Writes objects into the containers of one node of a cluster with quickstart.sh's layout, as its
// server would, until it is told to stop or is killed. Every attempt is recorded before it is made,
// and what was acknowledged is recorded once it is: test/fire/fire.py compares the record with what
// is left when the fire is out.
//
// A record has lines of tab-separated fields: "try" or "ack"; container, name, created_at, size,
// content type, etag, deleted. A line counts if it ends in a newline.

#include "../../test/support/pending_entry.hpp"
#include "cluster.hpp"
#include <replica/disk/descriptor.hpp>
#include <replica/disk/posix.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/random.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quickstart {

using replica::ContainerKind;
using replica::Device;
using replica::Error;
using replica::Failure;
using replica::ObjectRow;
using replica::test::pending_entry;

constexpr auto account_name = "AUTH_fire";

/// Appends to a file, or throws.
inline void append(const replica::Descriptor& file, std::string_view text,
                   const std::string& path) {
    while (!text.empty()) {
        const auto done =
            replica::uninterrupted([&] { return ::write(file.get(), text.data(), text.size()); });
        if (done < 0) {
            replica::throw_errno(errno, "write", path);
        }
        text.remove_prefix(static_cast<std::size_t>(done));
    }
}

/// A new file that only grows.
class Record {
public:
    explicit Record(const std::string& path)
        : path_(path),
          file_(replica::Descriptor::open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL)) {
        if (!file_) {
            replica::throw_errno(errno, "make", path);
        }
    }

    /// In one write, so that a kill leaves whole lines but for the last one.
    void add(std::string_view what, const std::string& container,
             const std::vector<ObjectRow>& rows) {
        std::string text;
        for (const ObjectRow& row : rows) {
            text.append(what).append("\t").append(container).append("\t").append(row.name);
            text.append("\t").append(row.created_at).append("\t").append(std::to_string(row.size));
            text.append("\t").append(row.content_type).append("\t").append(row.etag);
            text.append("\t").append(std::to_string(row.deleted)).append("\n");
        }
        append(file_, text, path_);
    }

    void sync() {
        if (::fsync(file_.get()) != 0) {
            replica::throw_errno(errno, "sync", path_);
        }
    }

private:
    std::string path_;
    replica::Descriptor file_;
};

/// What to write and how fast.
struct Wish {
    std::string root;
    std::string node;
    std::string record;
    std::uint64_t seed = 0;
    std::uint64_t containers = 20;
    std::uint64_t names = 400;
    std::int64_t pause_ms = 20;
};

class Writer {
public:
    explicit Writer(const Wish& wish)
        : wish_(wish), cluster_(wish.root), random_(wish.seed), record_(wish.record) {}

    [[noreturn]] void run() {
        for (;;) {
            write();
            clock_.sleep_until(clock_.monotonic() + std::chrono::milliseconds(wish_.pause_ms),
                               std::stop_token());
        }
    }

private:
    /// True once in `n` times.
    [[nodiscard]] bool once_in(std::uint64_t n) { return random_.next() % n == 0; }

    /// What could not be written is not acknowledged. It may be there all the same.
    void write() {
        const std::string container = "fire-" + std::to_string(random_.next() % wish_.containers);
        const auto rows = draw_rows();
        record_.add("try", container, rows);
        try {
            put(container, rows);
        } catch (const Failure& failure) {
            std::cerr << container << ": " << failure.what() << std::endl;
            return;
        }
        record_.add("ack", container, rows);
        record_.sync();
    }

    /// Few objects as a rule, and many now and then, so that a peer is far behind. Each row of a
    /// batch has a time of its own, as each object that a server is told of.
    [[nodiscard]] std::vector<ObjectRow> draw_rows() {
        std::vector<ObjectRow> rows(once_in(20) ? 200 : 1 + random_.next() % 4);
        for (ObjectRow& row : rows) {
            row.name = "object " + std::to_string(random_.next() % wish_.names);
            last_ = std::max(last_.plus(replica::Seconds(0.00001)), clock_.now());
            row.created_at = last_.internal();
            row.deleted = once_in(6) ? 1 : 0;
            row.size = row.deleted != 0 ? 0 : static_cast<std::int64_t>(random_.next() % 1000);
            row.content_type = row.deleted != 0 ? "application/deleted" : "text/plain";
            row.etag = row.deleted != 0 ? "noetag" : random_.name();
        }
        return rows;
    }

    /// To the device that the ring gives this node, and now and then to another one of its, as if
    /// the ring had been another at that time.
    [[nodiscard]] Device choose_device(const std::string& hash) {
        std::vector<Device> mine;
        for (const Device& device : cluster_.devices()) {
            if (device.replication_ip == wish_.node) {
                mine.push_back(device);
            }
        }
        if (mine.empty()) {
            throw std::runtime_error(wish_.node + ": has no device");
        }
        if (!once_in(8)) {
            for (const Device& device : cluster_.primaries(hash)) {
                if (device.replication_ip == wish_.node) {
                    return device;
                }
            }
        }
        return mine[random_.next() % mine.size()];
    }

    void put(const std::string& container, const std::vector<ObjectRow>& rows) {
        const std::string hash = cluster_.hash(std::string("/") + account_name + '/' + container);
        const Device device = choose_device(hash);
        const std::string path = cluster_.path_of(device, hash);
        const auto soon = clock_.monotonic() + std::chrono::seconds(10);
        if (once_in(4) && is_primary(device, hash) && put_pending(path, rows, soon)) {
            return;
        }
        try {
            broker_.open(path, soon).put(rows);
            return;
        } catch (const Failure& failure) {
            if (failure.error() != Error::missing) {
                throw;
            }
        }
        replica::ContainerInfo info;
        info.account = account_name;
        info.container = container;
        broker_.create(path, info, soon).put(rows);
    }

    [[nodiscard]] bool is_primary(const Device& device, const std::string& hash) const {
        return std::ranges::count(cluster_.primaries(hash), device.id, &Device::id) > 0;
    }

    /// As a stock server acknowledges: whoever looks at the database next commits the rows. Without
    /// a database nothing is acknowledged, and false is returned. A stock server does not look
    /// again under the lock, so a copy that leaves would make it err: only for primaries.
    [[nodiscard]] bool put_pending(const std::string& path, const std::vector<ObjectRow>& rows,
                                   replica::Instant deadline) {
        if (!disk_.stat(path)) {
            return false;
        }
        std::string entries;
        for (const ObjectRow& row : rows) {
            entries += pending_entry(row);
        }
        const auto lock = replica::storage::lock_directory(
            disk_, clock_, replica::storage::parent(path), deadline);
        const std::string file = path + ".pending";
        const auto pending = replica::Descriptor::open(file, O_WRONLY | O_APPEND | O_CREAT);
        if (!pending) {
            replica::throw_errno(errno, "open", file);
        }
        const auto before = ::lseek(pending.get(), 0, SEEK_END);
        try {
            append(pending, entries, file);
        } catch (const Failure&) { // a full disk takes a part of what it is given
            (void)!::ftruncate(pending.get(), before);
            throw;
        }
        return true;
    }

    Wish wish_;
    Cluster<ContainerKind> cluster_;
    replica::SystemClock clock_;
    replica::PosixDisk disk_;
    replica::ContainerBroker broker_;
    replica::Random random_;
    replica::Timestamp last_;
    Record record_;
};

} // namespace quickstart

int main(int argc, char** argv) {
    CLI::App app{"Writes into one node until it is ended, and records what was acknowledged."};
    quickstart::Wish wish;
    app.add_option("ROOT", wish.root, "Directory of the nodes")->required();
    app.add_option("--node", wish.node, "Address of the node")->required();
    app.add_option("--record", wish.record, "A new file")->required();
    app.add_option("--seed", wish.seed, "Where random choices begin");
    app.add_option("--containers", wish.containers, "How many")->check(CLI::PositiveNumber);
    app.add_option("--names", wish.names, "Objects per container")->check(CLI::PositiveNumber);
    app.add_option("--pause", wish.pause_ms, "ms between writes")->check(CLI::NonNegativeNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        quickstart::Writer(wish).run();
    } catch (const std::exception& error) {
        std::cerr << "quickstart.write: " << error.what() << '\n';
        return 1;
    }
}
