#ifndef REPLICA_SEND_SOURCE_HPP
#define REPLICA_SEND_SOURCE_HPP

// A local database as what is sent: a path for another process, or a snapshot. Nobody may open the
// database file itself in this process (defect 65), so all reading goes through the broker.

#include <replica/broker.hpp>
#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>
#include <replica/send/database_turn.hpp>
#include <replica/storage/storage.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace replica::detail {

/// Removes a private copy at the end of its life. After a crash the sweep of tmp removes it.
template <Disk D>
class PrivateFile {
public:
    PrivateFile(D& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
    PrivateFile(const PrivateFile&) = delete;
    PrivateFile& operator=(const PrivateFile&) = delete;
    ~PrivateFile() {
        try {
            disk_.remove(path_);
        } catch (const Failure&) {
            return; // The sweep of tmp removes it.
        }
    }

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] D& disk() const { return disk_; }

private:
    D& disk_;
    std::string path_;
};

/// Models DigestedSnapshot. The bytes are in memory, or else in the private file.
template <Disk D>
class DatabaseSnapshot {
public:
    explicit DatabaseSnapshot(std::shared_ptr<SentImage> image)
        : size_(static_cast<std::int64_t>(image->bytes.size())), image_(std::move(image)) {}

    explicit DatabaseSnapshot(std::shared_ptr<const PrivateFile<D>> file)
        : size_(storage::require(file->disk(), file->path()).size), file_(std::move(file)) {}

    [[nodiscard]] std::int64_t size() const { return size_; }

    [[nodiscard]] std::string read(std::int64_t offset, std::size_t bytes) const {
        return file_ ? file_->disk().read_from(file_->path(), offset, bytes)
                     : image_->bytes.substr(static_cast<std::size_t>(offset), bytes);
    }

    /// What `compute()` returns, or has returned for the same bytes.
    template <std::invocable Compute>
    [[nodiscard]] std::string digest(Compute compute) const {
        if (!image_) {
            return compute();
        }
        if (image_->digest.empty()) {
            image_->digest = compute();
        }
        return image_->digest;
    }

private:
    std::int64_t size_;
    std::shared_ptr<SentImage> image_;
    std::shared_ptr<const PrivateFile<D>> file_;
};

/// Models SnapshotSource: the database of a turn. Belongs to one worker, and lives no longer than
/// the turn.
template <AnyPass P>
class DatabaseSource {
    using DiskType = typename P::broker_type::disk_type;

public:
    /// A snapshot of up to this many bytes is kept in memory, one for each worker, until the turn
    /// ends.
    static constexpr std::int64_t most_in_memory = 4 << 20;

    explicit DatabaseSource(DatabaseTurn<P>& turn) : turn_(turn) {}

    /// The database's path or, once there is one, the private copy's.
    [[nodiscard]] std::string path() const { return copy_ ? copy_->path() : turn_.place.path(); }

    void copy_to(const std::string& target, Instant deadline) {
        turn_.database().copy_to(target, deadline);
    }

    /// Makes a private copy in the tmp of the database's own device, which is gone with the last
    /// user. Fault: no_space if that would use the device's reserve. Throws what copy_to throws.
    [[nodiscard]] Result<std::shared_ptr<const PrivateFile<DiskType>>> copy(Instant deadline) {
        auto& pass = turn_.pass;
        auto& disk = pass.broker.disk();
        const auto status = disk.stat(turn_.place.path());
        const std::int64_t bytes = status ? status->size : 0;
        if (storage::lacks_room(disk, turn_.device_path(), pass.settings.fallocate_reserve,
                                bytes)) {
            return Fault{Error::no_space, why_no_room()};
        }
        auto made = std::make_shared<const PrivateFile<DiskType>>(
            disk,
            turn_.device_path() + "/tmp/" + turn_.info.id + '.' + pass.random.name() + ".copy");
        disk.make_directories(storage::parent(made->path()));
        copy_to(made->path(), deadline);
        copy_ = made;
        return made;
    }

    /// The private copy, if there is one. Throws no_space and what copy_to throws.
    [[nodiscard]] DatabaseSnapshot<DiskType> snapshot(Instant deadline) {
        if (copy_) {
            return DatabaseSnapshot<DiskType>(copy_);
        }
        try {
            if (auto seen = image(deadline)) {
                return DatabaseSnapshot<DiskType>(std::move(seen));
            }
            if (auto made = copy(deadline)) {
                return DatabaseSnapshot<DiskType>(*std::move(made));
            }
        } catch (const Failure& failure) {
            failure_ = failure;
            throw;
        }
        throw Failure(Error::no_space, why_no_room());
    }

    /// Throws what snapshot() has thrown because of the database: a FileSync makes a fault of that,
    /// and a fault is the peer's.
    void rethrow() const {
        if (failure_) {
            throw Failure(*failure_);
        }
    }

private:
    /// That of the peers before this one, unless somebody has written since: it takes a lock and
    /// nine calls of the system to know, where reading 57 kB and their digest take 0.1 ms. Nothing
    /// if the database is too large.
    [[nodiscard]] std::shared_ptr<SentImage> image(Instant deadline) {
        if constexpr (ImagedDatabase<typename P::database_type>) {
            const std::uint64_t version = turn_.database().version();
            if (turn_.image && turn_.image->version == version) {
                return turn_.image;
            }
            turn_.image.reset();
            if (auto bytes = turn_.database().image(most_in_memory, deadline)) {
                turn_.image = std::make_shared<SentImage>(SentImage{*std::move(bytes), version});
            }
            return turn_.image;
        } else {
            return nullptr;
        }
    }

    [[nodiscard]] std::string why_no_room() const {
        return turn_.place.path() + ": no room on its device for a copy to send";
    }

    DatabaseTurn<P>& turn_;
    std::shared_ptr<const PrivateFile<DiskType>> copy_;
    std::optional<Failure> failure_;
};

} // namespace replica::detail

#endif // REPLICA_SEND_SOURCE_HPP
