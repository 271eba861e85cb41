-- Registers, in order, written where nobody has changed anything since they were read; where that was, the writer's mark says.
-- $1 the namespace, $2 the writer, $3 registers as JSON: task, index, version as read (0: none), watermark, fence.
-- One upsert, and so one order of locks, for rows that are there and rows that are not. The version is set last: assignments go from
-- left to right, and each asks for the version as it was read.
INSERT INTO {registers} (namespace, task, concurrency_index, version, watermark_ms, fence, writer)
SELECT $1, w.task, w.concurrency_index, w.version_read + 1, w.new_watermark_ms, w.new_fence, $2
FROM JSON_TABLE(CONVERT($3 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list},
    place FOR ORDINALITY, version_read BIGINT PATH '$.version', new_watermark_ms BIGINT PATH '$.watermark_ms',
    new_fence BIGINT PATH '$.fence')) AS w
ORDER BY w.place
ON DUPLICATE KEY UPDATE
    watermark_ms = IF({registers}.version = VALUES(version) - 1, VALUES(watermark_ms), {registers}.watermark_ms),
    fence = IF({registers}.version = VALUES(version) - 1, VALUES(fence), {registers}.fence),
    writer = IF({registers}.version = VALUES(version) - 1, VALUES(writer), {registers}.writer),
    version = IF({registers}.version = VALUES(version) - 1, VALUES(version), {registers}.version)
