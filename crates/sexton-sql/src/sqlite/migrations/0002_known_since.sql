-- When the task became known, and when its current schedule did: its ticks count from then on,
-- though none was granted yet.
ALTER TABLE sexton_tasks ADD COLUMN known_since_ms INTEGER;
ALTER TABLE sexton_tasks ADD COLUMN schedule_since_ms INTEGER;
