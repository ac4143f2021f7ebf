#ifndef REPLICA_RECEIVE_PUT_FILE_HPP
#define REPLICA_RECEIVE_PUT_FILE_HPP

// Takes in a whole file, piece by piece, and gives it the upload's name in tmp once all of it is
// there. The finish (receive/finish.hpp) follows as after an rsync, and checks the file as before.
//
// What has come is kept under a name made of the upload's name and the digest of the whole file.
// So all pieces under one name are of the same bytes, whoever sends them and however often: two
// senders of one upload with different files never meet, and with the same file they help each
// other. The name tells how much there is by its size: only what follows is added to it. The order:
//
//   take    the part gets a private name, so that nobody else can have it open. A second process
//           that has the old name finds nothing there, and says that nothing is here. The finish
//           makes a live database of this very file: a late writer's descriptor would write into
//           it, and, as it is closed, drop SQLite's locks (defect 65)
//   add     what the part lacks of the piece, and close
//   give    not whole yet: the part gets its name back
//   check   whole: the digest of all bytes, as read from the file if there was more than one piece
//   name    the upload's name, in one step, over whatever has it: an rsync of the same upload has
//           its own private name until it ends
//
// A crash, or a request that ends at any step, leaves the old upload or the new one whole, and at
// most a part, which the sweep of tmp removes after an hour. A part that lost bytes in a power cut
// ends at the check, and with it what made the check fail: the next sender begins anew. Nothing is
// synced here: the finish syncs the file before the file gets a database's name.

#include <replica/disk.hpp>
#include <replica/error.hpp>
#include <replica/words/put_file.hpp>
#include <replica/words/random.hpp>
#include <replica/words/sha256.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica {

namespace detail {

/// The digest of a file, read in pieces.
template <Disk D>
[[nodiscard]] std::string digest_of(D& disk, const std::string& path) {
    Sha256 digest;
    std::int64_t at = 0;
    for (;;) {
        const std::string piece = disk.read_from(path, at, message::PutFile::most_bytes);
        if (piece.empty()) {
            return digest.text();
        }
        digest.add(piece);
        at += static_cast<std::int64_t>(piece.size());
    }
}

/// Gives the part at `path` a private name. Returns the bytes it has; 0 if there is none.
template <Disk D>
[[nodiscard]] std::int64_t take_part(D& disk, const std::string& path, const std::string& own) {
    try {
        disk.rename(path, own);
    } catch (const Failure& failure) {
        if (failure.error() != Error::missing) {
            throw;
        }
        return 0;
    }
    const auto status = disk.stat(own);
    return status && status->regular ? status->size : 0;
}

/// Removes what could not be made whole; throws nothing that would hide why.
template <Disk D>
void drop_part(D& disk, const std::string& own) noexcept {
    try {
        disk.remove(own);
    } catch (const Failure&) {
        return; // The sweep of tmp removes it.
    }
}

} // namespace detail

/// Adds a piece to the file that is on its way to `<tmp>/<upload>`. Returns how many bytes of the
/// file are there, from the first on: the sender goes on with the next one. It may be fewer than
/// before if others send the same file, or have just finished it.
///
/// Throws Failure: corrupt if all has come and the digest differs, and what the disk throws. Then
/// the file begins anew. Thread safety: any thread, any process.
template <Disk D>
[[nodiscard]] std::int64_t put_piece(D& disk, const std::string& tmp, const message::PutFile& put,
                                     std::string_view bytes, Random& random) {
    const std::string name = tmp + '/' + put.upload;
    const std::string part = name + '.' + put.digest + ".part";
    const std::string own = name + '.' + random.name() + ".part";
    const bool at_once = static_cast<std::int64_t>(bytes.size()) == put.size;
    disk.make_directories(tmp);
    try {
        std::int64_t have = at_once ? 0 : detail::take_part(disk, part, own);
        if (have == 0 && put.offset > 0) {
            disk.remove(own); // an empty part, if there was one
            return 0;
        }
        const auto end = put.offset + static_cast<std::int64_t>(bytes.size());
        if (put.offset <= have && (have < end || at_once)) {
            disk.append(own, bytes.substr(static_cast<std::size_t>(have - put.offset)));
            have = end;
        }
        if (have < put.size) {
            disk.rename(own, part);
            return have;
        }
        if ((at_once ? sha256(bytes) : detail::digest_of(disk, own)) != put.digest) {
            throw Failure(Error::corrupt, name + ": what has come is not what was sent");
        }
        disk.rename(own, name);
        return put.size;
    } catch (...) {
        detail::drop_part(disk, own);
        throw;
    }
}

} // namespace replica

#endif // REPLICA_RECEIVE_PUT_FILE_HPP
