#ifndef REPLICA_WORDS_PUT_FILE_HPP
#define REPLICA_WORDS_PUT_FILE_HPP

// The verb put_file, which only servers of ours know: its list is the first line of the body, and
// the bytes follow as they are. Neither side turns a megabyte into text and back.

#include <replica/error.hpp>
#include <replica/words/call.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/json.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace replica::message {

/// A piece of the file that shall be in tmp under the name `upload`. See receive/put_file.hpp.
struct PutFile {
    static constexpr std::string_view verb = "put_file";
    static constexpr std::size_t most_bytes = 1 << 20; ///< Of one piece.

    std::string upload;
    std::int64_t offset = 0; ///< Of the piece in the file.
    std::int64_t size = 0;   ///< Of the whole file.
    std::string digest;      ///< SHA-256 of the whole file, in hexadecimal digits.

    /// The database's file name: once all has come, the receiver puts the upload in place, as for
    /// complete_rsync. Empty: it waits for that.
    std::string file{};

    friend bool operator==(const PutFile&, const PutFile&) = default;
};

[[nodiscard]] inline std::string encode(const PutFile& put, std::string_view bytes) {
    std::string out = "[\"put_file\", ";
    json::append(out, put.upload);
    out += ", ";
    json::append(out, put.offset);
    out += ", ";
    json::append(out, put.size);
    out += ", ";
    json::append(out, put.digest);
    if (!put.file.empty()) {
        out += ", ";
        json::append(out, put.file);
    }
    out += "]\n";
    out.reserve(out.size() + bytes.size());
    return out += bytes;
}

/// Whether the receiver shall put the file in place, which it may do once only.
[[nodiscard]] inline bool finishes(const Call& call) {
    return call.verb == PutFile::verb && call.arguments.size() > 4;
}

/// Both names become paths. The upload's must be a plain one, none of those that our own files in
/// tmp have, and short enough for what is added to it; the file's a database's name for `hash`.
[[nodiscard]] inline PutFile decode_put_file(const Call& call, std::string_view hash) {
    require_count(call, 4, 5);
    PutFile put;
    json::read(call.arguments[0], put.upload, "put_file's upload");
    json::read(call.arguments[1], put.offset, "put_file's offset");
    json::read(call.arguments[2], put.size, "put_file's size");
    json::read(call.arguments[3], put.digest, "put_file's digest");
    if (finishes(call)) {
        json::read(call.arguments[4], put.file, "put_file's file");
        const auto name = DatabaseName::parse(put.file);
        if (!name || name->hash != hash) {
            throw Failure(Error::bad_name,
                          "put_file's file must be a database name of " + std::string(hash));
        }
    }
    if (!is_safe_name(put.upload) || put.upload.size() > 128 || is_private_name(put.upload)) {
        throw Failure(Error::bad_name, "put_file's upload must be a plain name");
    }
    if (call.bytes.size() > PutFile::most_bytes) {
        throw Failure(Error::too_large,
                      "put_file takes " + std::to_string(PutFile::most_bytes) + " bytes at a time");
    }
    const auto bytes = static_cast<std::int64_t>(call.bytes.size());
    if (put.offset < 0 || put.offset > put.size || bytes > put.size - put.offset ||
        (bytes == 0 && put.size > 0)) {
        throw Failure(Error::bad_request, "put_file's bytes are not a piece of the file");
    }
    const bool hexadecimal = put.digest.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (put.digest.size() != 64 || !hexadecimal) {
        throw Failure(Error::bad_request, "put_file's digest must be 64 hexadecimal digits");
    }
    return put;
}

} // namespace replica::message

#endif // REPLICA_WORDS_PUT_FILE_HPP
