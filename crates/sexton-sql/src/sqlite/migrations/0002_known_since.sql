-- Since when a task is known, and has the schedule that it has: its ticks count from then on, though none was granted yet.
ALTER TABLE sexton_tasks ADD COLUMN known_since_ms INTEGER;
ALTER TABLE sexton_tasks ADD COLUMN schedule_since_ms INTEGER;
