import { writeFile } from 'node:fs/promises'
import { eventsPage } from './events-page.js'
import { optionsPage } from './options-page.js'

// npm run docs: writes the pages that are made from code.

await writeFile(new URL('../docs/events.md', import.meta.url), eventsPage())
await writeFile(new URL('../docs/options.md', import.meta.url), optionsPage())
