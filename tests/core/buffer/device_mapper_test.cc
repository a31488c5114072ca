#include "core/buffer/device_mapper.h"

#include <doctest/doctest.h>

using namespace assay;

namespace {

const std::string kDevice = "dm_version=4.47.0;name=root,uuid=,major=253,minor=0,minor_count=1,";

std::string words(std::string_view event, std::string_view content) {
  return describe_device_mapper(event, as_bytes(content)).value_or("nothing");
}

}  // namespace

TEST_CASE("describe_device_mapper: a table is told by its targets") {
  CHECK(words("dm_table_load",
              kDevice +
                  "num_targets=2;target_index=0,target_begin=0,target_len=8,target_name=linear,"
                  "target_version=1.4.0,device_name=7:0,start=0;target_index=1,target_begin=8,"
                  "target_len=8,target_name=verity,target_version=1.8.0,hash_failed=V,"
                  "verity_version=1,data_device_name=253:1,hash_device_name=253:2,"
                  "verity_algorithm=sha256,root_digest=29cb87,salt=e4;") ==
        "device-mapper table of 'root' loaded: linear on 7:0; verity on 253:1, root digest "
        "sha256:29cb87");
}

TEST_CASE("describe_device_mapper: a corrupted verity device says so") {
  CHECK(words("dm_target_update",
              kDevice + "num_targets=1;target_index=0,target_name=verity,hash_failed=C,"
                        "data_device_name=7:1,verity_algorithm=sha512,root_digest=8c;") ==
        "device-mapper target of 'root' changed: verity on 7:1, root digest sha512:8c, corrupted");
}

TEST_CASE("describe_device_mapper: what happens to a device is told with its table") {
  const std::string table = "sha256:" + std::string(64, 'a');
  CHECK(words("dm_device_resume", kDevice + "num_targets=1;active_table_hash=" + table + ";") ==
        "device-mapper device 'root' resumed, table " + table);
  CHECK(words("dm_device_rename", kDevice + "num_targets=1;new_name=other,new_uuid=;") ==
        "device-mapper device 'root' renamed to 'other'");
  CHECK(
      words("dm_device_remove",
            "dm_version=4.47.0;device_active_metadata=name=root,uuid=;active_table_hash=" + table +
                ",remove_all=n;") == "device-mapper device 'root' removed, table " + table);
  CHECK(words("dm_table_clear", kDevice + "num_targets=1;inactive_table_hash=" + table + ";") ==
        "device-mapper table of 'root' cleared, table " + table);
}

TEST_CASE("describe_device_mapper: a name with separators in it stays one name, and is escaped") {
  CHECK(words("dm_device_rename", "name=a\\,b\\=c\\;d\\\\\n,uuid=;new_name=\x1b[2J,new_uuid=;") ==
        "device-mapper device 'a,b=c;d\\\\\\x0a' renamed to '\\x1b[2J'");
}

TEST_CASE("describe_device_mapper: words are bounded whatever the event holds") {
  std::string content = "name=" + std::string(100'000, 'n') + ";";
  for (int i = 0; i < 20'000; ++i) content += "target_index=1,target_name=linear;";
  const std::string got = words("dm_table_load", content);
  CHECK(got.size() < 500);
  CHECK(got.ends_with("linear and 19992 more targets"));
}

TEST_CASE("describe_device_mapper: has no words for other events, or for no device") {
  CHECK(words("dm_table_load", "") == "nothing");
  CHECK(words("dm_table_load", "uuid=x;target_name=linear;") == "nothing");
  CHECK(words("dm_new_event", "name=root;") == "nothing");
  CHECK(words("selinux-state", "name=root;") == "nothing");
}
