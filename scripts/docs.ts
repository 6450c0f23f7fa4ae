import { writeFile } from 'node:fs/promises'
import { eventsPage } from './events-page.js'

// npm run docs: writes the pages that are made from code.

await writeFile(new URL('../docs/events.md', import.meta.url), eventsPage())
