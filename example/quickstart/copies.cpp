// Makes very many containers out of one: copies of the files of /AUTH_lag/lag-0000000 under other
// names. Their replicas know each other as those of the first one do, so no pass has anything to
// write into them. A file system that can lets copies share blocks. For bench/scale.sh.

#include "cluster.hpp"
#include <replica/container/kind.hpp>
#include <replica/disk/descriptor.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace quickstart {

using replica::ContainerKind;
using replica::Descriptor;
using replica::Device;

/// The first container's file on one device, and where its name stands in it.
class Original {
public:
    Original(const std::string& path, std::string_view name)
        : file_(Descriptor::open(path, O_RDONLY)) {
        std::ifstream stream(path, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(stream), {});
        at_ = bytes_.find(name);
        if (at_ == std::string::npos || bytes_.find(name, at_ + 1) != std::string::npos) {
            throw std::runtime_error(path + " does not have its name in one place");
        }
    }

    /// A new file, the same but for its name, which is as long.
    void copy_to(const std::string& path, std::string_view name) const {
        const auto copy = Descriptor::open(path, O_WRONLY | O_CREAT | O_EXCL);
        if (!copy) {
            replica::throw_errno(errno, "create", path);
        }
        // The block with the name is not shared first: a file system reserves many more blocks to
        // change a shared one.
        const std::size_t first = at_ / block * block;
        const std::size_t next = first + block;
        const bool shares = share(copy, 0, first) && share(copy, next, bytes_.size() - next);
        std::string bytes = shares ? bytes_.substr(first, block) : bytes_;
        bytes.replace(shares ? at_ - first : at_, name.size(), name);
        if (::pwrite(copy.get(), bytes.data(), bytes.size(),
                     static_cast<off_t>(shares ? first : 0)) != std::ssize(bytes)) {
            replica::throw_errno(errno, "write", path);
        }
    }

private:
    static constexpr std::size_t block = 4096; ///< A page of SQLite, and a block of most disks.

    [[nodiscard]] bool share(const Descriptor& copy, std::size_t from, std::size_t size) const {
        const file_clone_range range{file_.get(), from, size, from};
        return size == 0 || ::ioctl(copy.get(), FICLONERANGE, &range) == 0;
    }

    Descriptor file_;
    std::string bytes_;
    std::size_t at_ = 0;
};

class Copies {
public:
    Copies(const std::string& root, std::uint64_t databases)
        : cluster_(root), databases_(databases) {}

    /// On all devices at a time. The first one says how far it is.
    void make() const {
        std::vector<std::future<void>> devices;
        for (const Device& device : cluster_.devices()) {
            devices.push_back(std::async(std::launch::async, [this, &device] { make_on(device); }));
        }
        for (std::future<void>& each : devices) {
            each.get();
        }
    }

private:
    void make_on(const Device& device) const {
        const Original original(cluster_.path_of(device, hash_of(0)), name(0));
        for (std::uint64_t number = 1; number < databases_; ++number) {
            const std::string path = cluster_.path_of(device, hash_of(number));
            std::filesystem::create_directories(std::filesystem::path(path).parent_path());
            original.copy_to(path, name(number));
            if (number % 100'000 == 0 && device.replication_ip == first_node) {
                std::cerr << number << " of " << databases_ << " are made\n";
            }
        }
    }

    [[nodiscard]] static std::string name(std::uint64_t number) {
        const std::string digits = std::to_string(number);
        return "lag-" + std::string(7 - digits.size(), '0') + digits;
    }
    [[nodiscard]] std::string hash_of(std::uint64_t number) const {
        return cluster_.hash("/AUTH_lag/" + name(number));
    }

    Cluster<ContainerKind> cluster_;
    std::uint64_t databases_;
};

} // namespace quickstart

int main(int argc, char** argv) {
    CLI::App app{"Makes containers as copies of the first one of `quickstart.lag --fill`."};
    std::string root;
    std::uint64_t databases = 1000;
    app.add_option("ROOT", root, "Directory of the nodes; each device has the first container")
        ->required();
    app.add_option("--databases", databases, "How many there are then")
        ->check(CLI::Range(1, 9'999'999));
    CLI11_PARSE(app, argc, argv);
    try {
        quickstart::Copies(root, databases).make();
    } catch (const std::exception& error) {
        std::cerr << "quickstart.copies: " << error.what() << '\n';
        return 1;
    }
}
