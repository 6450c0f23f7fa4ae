import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { EngineHost } from '../../lib/engines/local/engine-host.js'

/** What the engine process runs, in this one: it listens at `path`. */
export async function startEngineHost (t: Test, ...open: ConstructorParameters<typeof EngineHost>): Promise<{ host: EngineHost, path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-'))
  const path = join(folder, 'engines')
  const host = new EngineHost(...open)
  const server = createServer(socket => host.serve(socket))
  await new Promise<void>(resolve => server.listen(path, resolve))
  t.teardown(async () => {
    server.close()
    await host.close()
    rmSync(folder, { recursive: true })
  })
  return { host, path }
}
