import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { packageRoot } from '../../lib/package-root.js'
import { freePort } from './free-port.js'

/** A proxy that runs one of the examples of deploy/, and where it is reached. */
export interface Proxy {
  /** `https://localhost:port` */
  url: string
  /** What it has logged of requests. */
  log (): string
}

interface Kind {
  /** Why its tests are left out; false: they are not. */
  without: string | false
  /** @param quietSeconds how long a connection may be quiet, where the example says 90 */
  start (t: Test, ports: readonly [number, number], quietSeconds: number): Promise<Proxy>
}

const installed = (command: string, ...args: string[]) => spawnSync(command, args).status === 0
const example = (name: string) => readFileSync(join(packageRoot, 'deploy', name), 'utf8')

export const nginx: Kind = {
  without: installed('nginx', '-v') ? false : 'nginx is not installed: apt-get install nginx-light',
  async start (t, [first, second], quietSeconds) {
    const { folder, cert, key } = workplace(t)
    const port = await freePort()
    writeFileSync(join(folder, 'dramatis.conf'), replaceAll(example('nginx.conf'), {
      '127.0.0.1:8001': `127.0.0.1:${first}`,
      '127.0.0.1:8002': `127.0.0.1:${second}`,
      'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      'voice.example.com;': 'localhost;',
      '/etc/ssl/voice.example.com.pem': cert,
      '/etc/ssl/private/voice.example.com.key': key,
      '/var/log/nginx/dramatis.log': join(folder, 'access.log'),
      '90s': `${quietSeconds}s`
    }))
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${join(folder, name)};`).join(' ')
    writeFileSync(join(folder, 'main.conf'), `daemon off; worker_processes 1; pid ${join(folder, 'pid')}; events {} http { ${paths} include ${join(folder, 'dramatis.conf')}; }`)
    const errors = join(folder, 'error.log')
    await run(t, spawn('nginx', ['-p', folder, '-e', errors, '-c', join(folder, 'main.conf')], { stdio: ['ignore', 'pipe', 'pipe'] }), port)
    return { url: `https://localhost:${port}`, log: () => readFileSync(join(folder, 'access.log'), 'utf8') }
  }
}

export const caddy: Kind = {
  without: installed('caddy', 'version') ? false : 'caddy is not installed: apt-get install caddy',
  async start (t, [first, second]) {
    const { folder, cert, key } = workplace(t)
    const port = await freePort()
    writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${replaceAll(example('Caddyfile'), {
      'voice.example.com {': `https://localhost:${port} {\n\ttls ${cert} ${key}\n\tbind 127.0.0.1`,
      '127.0.0.1:8001': `127.0.0.1:${first}`,
      '127.0.0.1:8002': `127.0.0.1:${second}`
    })}`)
    const child = spawn('caddy', ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'], {
      env: { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }, stdio: ['ignore', 'pipe', 'pipe']
    })
    let log = ''
    child.stderr.on('data', chunk => { log += chunk })
    await run(t, child, port)
    return { url: `https://localhost:${port}`, log: () => log.split('\n').filter(line => line.includes('"http.log.access')).join('\n') }
  }
}

/** A folder with a certificate for localhost, gone with the test. */
function workplace (t: Test): { folder: string, cert: string, key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'dramatis-proxy-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'logs'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { folder, cert, key }
}

/** Each must be there, or the example has changed. */
function replaceAll (text: string, by: Record<string, string>): string {
  for (const [from, to] of Object.entries(by)) {
    if (!text.includes(from)) throw new Error(`The example has no '${from}' any more.`)
    text = text.replaceAll(from, to)
  }
  return text
}

/** Resolves when it listens; it is ended with the test. */
async function run (t: Test, child: ChildProcess, port: number): Promise<void> {
  let output = ''
  let ended = false
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', chunk => { output += chunk })
  const gone = once(child, 'close').then(() => { ended = true })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await gone
  })
  let listens = false
  while (!listens) {
    if (ended) throw new Error(`The proxy did not start:\n${output}`)
    const socket = connect(port, '127.0.0.1')
    listens = await new Promise(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (!listens) await new Promise(resolve => setTimeout(resolve, 20))
  }
}
