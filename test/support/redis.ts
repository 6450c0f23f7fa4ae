import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.js'

/** Why tests with Redis are left out; false: they are not. */
export const withoutRedis = spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not installed: apt-get install redis-server'

export interface RedisSecurity {
  password: string
  /** Files of PEM; it speaks TLS alone then. */
  cert: string
  key: string
}

/** A certificate for 127.0.0.1 that nobody has signed, in a folder. */
export function selfSigned (folder: string): { cert: string, key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert
  ], { stdio: 'ignore' })
  return { cert, key }
}

/** A Redis of a test's own, on a port of its own, without anything on disk; ended with the test. */
export class RedisServer {
  readonly port: number
  readonly #security: RedisSecurity | null
  #child: ChildProcess | null = null

  private constructor (port: number, security: RedisSecurity | null) {
    this.port = port
    this.#security = security
  }

  static async start (t: Pick<Test, 'teardown'>, security: RedisSecurity | null = null): Promise<RedisServer> {
    const redis = new RedisServer(await freePort(), security)
    t.teardown(() => redis.stop())
    await redis.resume()
    return redis
  }

  get url (): string {
    const { password } = this.#security ?? {}
    return password === undefined ? `redis://127.0.0.1:${this.port}` : `rediss://:${password}@127.0.0.1:${this.port}`
  }

  get pid (): number {
    return this.#child!.pid!
  }

  /** Ends it, and all that it knows. */
  async stop (): Promise<void> {
    const child = this.#child
    if (child === null) return
    this.#child = null
    const gone = once(child, 'close')
    child.kill('SIGKILL')
    await gone
  }

  /** Starts it again, on the same port. */
  async resume (): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'dramatis-redis-'))
    const { password, cert, key } = this.#security ?? {}
    const listen = password === undefined
      ? ['--port', String(this.port)]
      : ['--port', '0', '--tls-port', String(this.port), '--tls-cert-file', cert!, '--tls-key-file', key!, '--tls-auth-clients', 'no', '--requirepass', password]
    const child = spawn('redis-server', [...listen, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    child.once('close', () => rmSync(folder, { recursive: true, force: true }))
    let output = ''
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', chunk => {
        output += chunk
        if (output.includes('Ready to accept connections')) resolve()
      })
      child.once('close', () => reject(new Error(`Redis did not start:\n${output}`)))
    })
  }

  /** What redis-cli answers. */
  ask (...words: string[]): string {
    const { stdout, stderr, status } = spawnSync('redis-cli', ['-p', String(this.port), ...words], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return stdout.trim()
  }
}
