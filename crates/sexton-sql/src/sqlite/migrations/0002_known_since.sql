-- Since when a task is known: its ticks count from then on, though none was granted yet.
ALTER TABLE sexton_tasks ADD COLUMN known_since_ms INTEGER;
