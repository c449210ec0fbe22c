// SPDX-License-Identifier: BSL-1.0
//
// A file of an upload. A plain value, so that operations which send files compile without any
// network header.
#pragma once

#include <string>
#include <utility>

namespace highlevel {

/// One file of a multipart request: its bytes, or the path of a file that is read when it is sent.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class file_part {
public:
    file_part() = default;

    /// A file of these bytes.
    [[nodiscard]] static file_part of_data(std::string filename, std::string data) {
        file_part made;
        made.filename = std::move(filename);
        made.data = std::move(data);
        return made;
    }

    /// A file on disk; its last path segment is the file name unless `filename` says otherwise.
    [[nodiscard]] static file_part of_path(std::string path) {
        file_part made;
        made.path = std::move(path);
        return made;
    }

    /// The file name that is sent: `filename`, or the last segment of `path`, or "file".
    [[nodiscard]] std::string sent_filename() const {
        if (!filename.empty()) return filename;
        auto last = path.substr(path.find_last_of('/') + 1);
        return last.empty() ? "file" : last;
    }
    /// The media type that is sent.
    [[nodiscard]] std::string sent_type() const {
        return content_type.empty() ? "application/octet-stream" : content_type;
    }

    /// The part's name; empty: the operation's own (`operation_meta::file_field`). Uploads to
    /// custom fields name their parts `<custom field id>_<file id>`.
    std::string name;
    /// The file name that the server sees; empty: the last segment of `path`.
    std::string filename;
    /// Media type; empty: application/octet-stream.
    std::string content_type;
    /// The bytes, unless `path` is set.
    std::string data;
    /// The file to read; empty: `data` is sent.
    std::string path;
};

} // namespace highlevel
