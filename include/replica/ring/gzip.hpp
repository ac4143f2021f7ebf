#ifndef REPLICA_RING_GZIP_HPP
#define REPLICA_RING_GZIP_HPP

// Swift's ring files are gzip. A file that was cut off while it was copied must not pass for a
// smaller ring, so nothing is used before its end was seen and its checksum compared.

#include <replica/ring/ring_file.hpp>

#include <zlib.h>

#include <cstddef>
#include <new>
#include <string>
#include <string_view>

namespace replica::ring_file {

/// The content of a whole gzip file; its length and CRC-32 are checked. Throws BadRing, also if the
/// content has more than `most` bytes. `packed` is a copy because zlib takes a pointer to writable
/// input.
[[nodiscard]] inline std::string inflate_ring(std::string packed, std::size_t most) {
    constexpr std::size_t piece = 1U << 20;
    constexpr int gzip_only = 16 + MAX_WBITS;
    struct Stream : z_stream {
        Stream() : z_stream{} {
            if (inflateInit2(this, gzip_only) != Z_OK) {
                throw std::bad_alloc();
            }
        }
        ~Stream() { inflateEnd(this); }
        Stream(const Stream&) = delete;
        Stream& operator=(const Stream&) = delete;
    } stream;
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    std::string content;
    int code = Z_OK;
    while (code == Z_OK) {
        const std::size_t had = content.size();
        content.resize(had + piece);
        stream.next_out = reinterpret_cast<Bytef*>(content.data() + had);
        stream.avail_out = piece;
        code = inflate(&stream, Z_NO_FLUSH);
        content.resize(had + piece - stream.avail_out);
        if (content.size() > most) {
            refuse_ring("", "inflates to more than " + std::to_string(most) + " bytes");
        }
    }
    if (code == Z_MEM_ERROR) {
        throw std::bad_alloc();
    }
    if (code == Z_BUF_ERROR) {
        refuse_ring("", "ends in the middle of its gzip data");
    }
    if (code != Z_STREAM_END) {
        refuse_ring("", std::string("damaged gzip data: ") +
                            (stream.msg != nullptr ? stream.msg : "?"));
    }
    if (stream.avail_in > 0) {
        refuse_ring("", std::to_string(stream.avail_in) + " bytes follow the end of the gzip data");
    }
    return content;
}

} // namespace replica::ring_file

#endif // REPLICA_RING_GZIP_HPP
