#ifndef REPLICA_TEST_SUPPORT_FIFO_HPP
#define REPLICA_TEST_SUPPORT_FIFO_HPP

// A FIFO that nobody writes to. Whoever opens it for reading waits for ever, and a test that shows
// this must come to an end all the same.

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <concepts>
#include <future>
#include <string>
#include <utility>

namespace replica::test {

class Fifo {
public:
    explicit Fifo(std::string path) : path_(std::move(path)) {
        BOOST_REQUIRE(::mkfifo(path_.c_str(), 0666) == 0);
    }

    /// Runs `call` and passes its exception on. A call that waits for a writer is an error of the
    /// test; it gets a writer after two seconds, who leaves at once.
    template <std::invocable Call>
    void must_not_hold_up(Call call) const {
        auto done = std::async(std::launch::async, std::move(call));
        while (done.wait_for(std::chrono::seconds(2)) != std::future_status::ready) {
            BOOST_ERROR("waits for a writer of " << path_);
            ::close(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
        }
        static_cast<void>(done.get());
    }

private:
    std::string path_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_FIFO_HPP
