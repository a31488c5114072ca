// Device-mapper events as the kernel has IMA measure them, in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"

namespace assay {

// What a "dm_…" event says: "device-mapper table of 'root' loaded: verity on 253:1, root digest
// sha256:29cb…". Nothing for another event, or one that names no device.
//
//   event     the entry's name: dm_table_load, dm_device_resume, dm_device_rename, dm_device_remove,
//             dm_table_clear or dm_target_update
//   content   untrusted: "name=root,uuid=…;target_index=0,…;"; a backslash stands before a
//             separator that belongs to a value
//
// Escaped, and bounded whatever `content` holds: values are cut, and after eight targets the rest is
// counted. Total and pure.
//
// Linux drivers/md/dm-ima.c; STATUSTYPE_IMA in the targets, such as drivers/md/dm-verity-target.c.
std::optional<std::string> describe_device_mapper(std::string_view event, ByteView content);

}  // namespace assay
