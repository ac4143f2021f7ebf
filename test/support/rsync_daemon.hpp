#ifndef REPLICA_TEST_SUPPORT_RSYNC_DAEMON_HPP
#define REPLICA_TEST_SUPPORT_RSYNC_DAEMON_HPP

// A real rsync daemon on loopback. The test listens, and starts rsync for each connection as inetd
// would, so that there is nothing to wait for: the socket listens before the first transfer begins.

#include <replica/disk/descriptor.hpp>

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace replica::test {

/// Serves one writable module on a free port of `ip`, one connection after the other. Its
/// configuration and log are files of its own below `root`. An rsync that is still at work is ended
/// by the destructor, and by the end of the test's process.
class RsyncDaemon {
public:
    RsyncDaemon(const std::string& root, const std::string& module, const std::string& path,
                const std::string& ip = "127.0.0.1")
        : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
          configuration_(root + "/rsyncd.conf") {
        std::ofstream file(configuration_);
        file << "use chroot = no\nlog file = " << root << "/rsyncd.log\n";
        if (::geteuid() == 0) {
            file << "uid = 0\ngid = 0\n";
        }
        file << '[' << module << "]\npath = " << path << "\nread only = no\nwrite only = yes\n";
        file.close();
        ::sockaddr_in address{};
        address.sin_family = AF_INET;
        BOOST_REQUIRE(::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) == 1);
        ::socklen_t size = sizeof address;
        auto* const generic = reinterpret_cast<::sockaddr*>(&address);
        BOOST_REQUIRE(::bind(listener_.get(), generic, size) == 0);
        BOOST_REQUIRE(::listen(listener_.get(), 16) == 0);
        BOOST_REQUIRE(::getsockname(listener_.get(), generic, &size) == 0);
        port_ = ntohs(address.sin_port);
        server_ = std::thread([this] { serve(); });
    }
    ~RsyncDaemon() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        {
            const std::scoped_lock guard(mutex_);
            ended_ = true;
            if (process_ > 0) {
                ::kill(process_, SIGKILL);
            }
        }
        server_.join();
    }
    RsyncDaemon(const RsyncDaemon&) = delete;
    RsyncDaemon& operator=(const RsyncDaemon&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    void serve() {
        for (;;) {
            const Descriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!connection || !begin(connection)) {
                return;
            }
            ::siginfo_t
                ended{}; // waits without giving the id free, so that a kill hits nobody else
            ::waitid(P_PID, static_cast<::id_t>(process_), &ended, WEXITED | WNOWAIT);
            const std::scoped_lock guard(mutex_);
            ::waitpid(process_, nullptr, 0);
            process_ = -1;
        }
    }

    bool begin(const Descriptor& connection) {
        const std::scoped_lock guard(mutex_);
        if (ended_) {
            return false;
        }
        const std::string option = "--config=" + configuration_;
        const char* const arguments[] = {"rsync", "--daemon", option.c_str(), nullptr};
        process_ = ::fork();
        if (process_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(connection.get(), 0);
            ::dup2(connection.get(), 1);
            ::close_range(3, ~0U, 0);
            ::execvp("rsync", const_cast<char* const*>(arguments));
            ::_exit(127);
        }
        return process_ > 0;
    }

    Descriptor listener_;
    std::string configuration_;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    ::pid_t process_ = -1; // written under the mutex, by the thread that serves
    bool ended_ = false;
    std::thread server_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_RSYNC_DAEMON_HPP
