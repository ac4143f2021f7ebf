#ifndef REPLICA_SEND_LOCAL_DEVICES_HPP
#define REPLICA_SEND_LOCAL_DEVICES_HPP

// Which devices of the ring are on this machine, and which of them can be used.

#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/send/pass.hpp>
#include <replica/storage/storage.hpp>
#include <replica/storage/sweep.hpp>
#include <replica/words/hash_path.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace replica {

/// The local devices that the pass is to look at, and why it leaves out others.
struct LocalDevices {
    struct Skipped {
        Device device;
        std::string_view reason;
    };

    std::vector<Device> devices{};
    std::vector<Skipped> skipped{};
    bool any = false; ///< A device of the ring is on this machine, wanted or not.
};

/// The ring's devices on this machine, of those that are wanted. Touches no disk, since the caller
/// must not hang.
template <AnyPass P>
[[nodiscard]] LocalDevices local_devices(P& pass,
                                         const std::function<bool(const Device&)>& is_local,
                                         const std::function<bool(const Device&)>& wanted = {}) {
    LocalDevices found;
    for (const Device& device : pass.ring.devices()) {
        if (!is_local(device)) {
            continue;
        }
        found.any = true;
        if (wanted && !wanted(device)) {
            continue;
        }
        if (!is_safe_name(device.device)) {
            found.skipped.push_back({device, "is not a valid drive name"});
        } else if (pass.memory.stalled.contains(device.device)) {
            found.skipped.push_back({device, "does not answer since an earlier pass"});
        } else {
            found.devices.push_back(device);
        }
    }
    return found;
}

/// Counts and tells that a device is left out.
template <AnyPass P>
void skip(P& pass, const Device& device, std::string_view reason) {
    const std::string path = storage::device_path(pass.settings.devices, device.device);
    pass.count_failure(device);
    pass.observer(event::DeviceSkipped{path, reason});
}

/// Why a device cannot be used; empty if it can.
template <AnyPass P>
[[nodiscard]] std::string_view why_unusable(P& pass, const Device& device) {
    auto& disk = pass.broker.disk();
    const std::string path = storage::device_path(pass.settings.devices, device.device);
    const bool mount_check = pass.settings.mount_check;
    try {
        const auto status = disk.stat(path);
        if (!status || !status->directory) {
            return mount_check ? "is not mounted" : "is not a directory";
        }
        return mount_check && !disk.is_mount(path) ? "is not mounted" : "";
    } catch (const Failure&) {
        return "cannot be read";
    }
}

/// Empties the trash of a device if it is due (TrashDue). A trash that cannot be read is told, and
/// keeps nobody from his work.
template <AnyPass P, std::invocable Beat>
void empty_trash_if_due(P& pass, const Device& device, int came, Beat beat) {
    if (!pass.memory.trash.is_due(device.device, pass.clock.monotonic(), came)) {
        return;
    }
    const std::string path = storage::device_path(pass.settings.devices, device.device);
    try {
        storage::empty_trash(pass.broker.disk(), path, pass.now(), pass.settings, beat);
    } catch (const Failure& failure) {
        const std::string trash = path + "/trash";
        const std::string what = failure.what();
        pass.observer(event::ListingFailed{trash, what});
    }
}

/// Checks whether a device can be used, and tells if not; if so, sweeps its tmp and empties its
/// trash.
template <AnyPass P, std::invocable Beat>
[[nodiscard]] bool prepare(P& pass, const Device& device, Beat beat) {
    std::string_view reason = why_unusable(pass, device);
    if (reason.empty()) {
        const std::string path = storage::device_path(pass.settings.devices, device.device);
        try {
            storage::sweep(pass.broker.disk(), path + "/tmp", pass.now(), pass.settings.reclaim_age,
                           beat);
            empty_trash_if_due(pass, device, 0, beat);
        } catch (const Failure&) {
            reason = "cannot be read";
        }
    }
    if (!reason.empty()) {
        skip(pass, device, reason);
    }
    return reason.empty();
}

} // namespace replica

#endif // REPLICA_SEND_LOCAL_DEVICES_HPP
