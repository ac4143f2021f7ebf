#ifndef REPLICA_BEAST_LOOKUP_HPP
#define REPLICA_BEAST_LOOKUP_HPP

// A ring may name nodes by host name, and getaddrinfo can neither be cancelled nor given a
// deadline. With a dead name server it blocks for half a minute, and Asio's resolver waits for it
// when its io_context is destroyed. Here a thread of its own calls it, one per name however many
// ask, and nobody waits for that thread longer than the deadline.

#include <replica/clock.hpp>
#include <replica/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace replica::http {

/// Resolves host names to addresses. Thread safety: any thread.
class Lookup {
public:
    using Addresses = std::vector<boost::asio::ip::address>;

    /// How long an answer is used. Addresses of nodes rarely change, and a wrong one costs one
    /// failed connection.
    static constexpr Seconds answer_age_max{60};

    /// The addresses of `host`, at least one. The text of an address is converted without a thread.
    /// Errors: Error::timed_out, Error::stopped, or the error of the system's resolver.
    [[nodiscard]] boost::system::result<Addresses> find(const std::string& host, Instant deadline,
                                                        const std::stop_token& stop) {
        boost::system::error_code not_an_address;
        const auto address = boost::asio::ip::make_address(host, not_an_address);
        if (!not_an_address) {
            return Addresses{address};
        }
        const std::shared_ptr<Question> question = ask(host);
        std::unique_lock lock(question->mutex);
        question->answered.wait_until(lock, stop, deadline, [&] { return question->done; });
        if (!question->done) {
            return make_error_code(stop.stop_requested() ? Error::stopped : Error::timed_out);
        }
        if (question->code) {
            return question->code;
        }
        return question->addresses;
    }

private:
    struct Question {
        Instant since{};
        std::mutex mutex;
        std::condition_variable_any answered;
        bool done = false; // this and the following members: under the mutex
        boost::system::error_code code;
        Addresses addresses;

        [[nodiscard]] bool usable(Instant now) {
            const std::lock_guard lock(mutex);
            return !done || (!code && now - since < to_duration(answer_age_max));
        }
    };

    /// The question that is open or was answered recently; else a new one.
    std::shared_ptr<Question> ask(const std::string& host) {
        const Instant now = SystemClock().monotonic();
        const std::lock_guard lock(mutex_);
        std::shared_ptr<Question>& question = questions_[host];
        if (!question || !question->usable(now)) {
            auto next = std::make_shared<Question>();
            next->since = now;
            std::thread([next, host] { answer(*next, host); }).detach();
            question = std::move(next);
        }
        return question;
    }

    static void answer(Question& question, const std::string& host) noexcept {
        boost::system::error_code code;
        Addresses addresses;
        try {
            boost::asio::io_context io(1);
            for (const auto& entry : boost::asio::ip::tcp::resolver(io).resolve(host, "", code)) {
                addresses.push_back(entry.endpoint().address());
            }
        } catch (const boost::system::system_error& error) { // no descriptors left
            code = error.code();
        } catch (const std::exception&) {
            code = boost::asio::error::no_memory;
        }
        const std::lock_guard lock(question.mutex);
        question.addresses = std::move(addresses);
        question.code = code;
        question.done = true;
        question.answered.notify_all();
    }

    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Question>> questions_;
};

} // namespace replica::http

#endif // REPLICA_BEAST_LOOKUP_HPP
