/** The error numbers and file types of WASI preview 1 that are used here. */
const OK = 0
const BAD_FILE = 8
const CHARACTER_DEVICE = 2
const DIRECTORY = 3
const REGULAR_FILE = 4

/** File descriptors: 0 to 2 are the standard streams. */
const ROOT = 3
const OUTPUT = 4

/** Thrown by a program that ends itself, as there is no other way out of WebAssembly. */
class Exit {
  readonly status: number
  constructor (status: number) {
    this.status = status
  }
}

/**
 * Just enough of WASI to run a command that takes arguments and writes one file: that file is kept
 * in memory, whatever its path; there are no other files.
 */
export class Command {
  readonly #instance: WebAssembly.Instance
  #arguments: Buffer[] = []
  #output = Buffer.alloc(0)
  #length = 0
  #position = 0

  /** Instantiating copies the program's data; a command runs once, as its memory is used up then. */
  constructor (program: WebAssembly.Module) {
    this.#instance = new WebAssembly.Instance(program, { wasi_snapshot_preview1: this.#imports() })
  }

  /** Runs it and gives the content of the file it wrote. */
  run (args: readonly string[]): Buffer {
    this.#arguments = ['command', ...args].map((argument) => Buffer.from(`${argument.replaceAll('\0', '')}\0`))
    try {
      (this.#instance.exports['_start'] as () => void)()
    } catch (error) {
      if (!(error instanceof Exit)) throw error
      if (error.status !== 0) throw new Error(`the program ended with status ${error.status}`, { cause: error })
    }
    return this.#output.subarray(0, this.#length)
  }

  get #memory (): DataView {
    return new DataView((this.#instance.exports['memory'] as WebAssembly.Memory).buffer)
  }

  #bytes (address: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, address, length)
  }

  #imports (): Record<string, (...parameters: never[]) => number> {
    return {
      args_sizes_get: (count: number, size: number) => {
        this.#memory.setUint32(count, this.#arguments.length, true)
        this.#memory.setUint32(size, Buffer.concat(this.#arguments).length, true)
        return OK
      },
      args_get: (pointers: number, strings: number) => {
        for (const [i, argument] of this.#arguments.entries()) {
          this.#memory.setUint32(pointers + 4 * i, strings, true)
          this.#bytes(strings, argument.length).set(argument)
          strings += argument.length
        }
        return OK
      },
      clock_time_get: (_clock: number, _precision: bigint, result: number) => {
        this.#memory.setBigUint64(result, process.hrtime.bigint(), true)
        return OK
      },
      fd_prestat_get: (file: number, result: number) => {
        if (file !== ROOT) return BAD_FILE
        this.#memory.setUint32(result, 0, true)
        this.#memory.setUint32(result + 4, 1, true)
        return OK
      },
      fd_prestat_dir_name: (_file: number, name: number, length: number) => {
        this.#bytes(name, length).set(Buffer.from('/').subarray(0, length))
        return OK
      },
      fd_fdstat_get: (file: number, result: number) => {
        this.#bytes(result, 24).fill(0xff)
        this.#memory.setUint8(result, file < ROOT ? CHARACTER_DEVICE : file === ROOT ? DIRECTORY : REGULAR_FILE)
        this.#memory.setUint16(result + 2, 0, true)
        return OK
      },
      fd_fdstat_set_flags: () => OK,
      path_open: (_folder: number, _lookup: number, _path: number, _length: number, _flags: number,
        _rights: bigint, _inherited: bigint, _mode: number, result: number) => {
        this.#position = 0
        this.#length = 0
        this.#memory.setUint32(result, OUTPUT, true)
        return OK
      },
      fd_read: (_file: number, _vectors: number, _count: number, result: number) => {
        this.#memory.setUint32(result, 0, true)
        return OK
      },
      fd_write: (file: number, vectors: number, count: number, result: number) => {
        let total = 0
        for (let i = 0; i < count; i++) {
          const address = this.#memory.getUint32(vectors + 8 * i, true)
          const length = this.#memory.getUint32(vectors + 8 * i + 4, true)
          if (file === OUTPUT) this.#write(this.#bytes(address, length))
          total += length
        }
        this.#memory.setUint32(result, total, true)
        return OK
      },
      fd_seek: (file: number, offset: bigint, whence: number, result: number) => {
        if (file !== OUTPUT) return BAD_FILE
        const from = [0, this.#position, this.#length][whence] ?? 0
        this.#position = Math.max(0, from + Number(offset))
        this.#memory.setBigUint64(result, BigInt(this.#position), true)
        return OK
      },
      fd_close: () => OK,
      proc_exit: (status: number) => { throw new Exit(status) }
    }
  }

  #write (bytes: Uint8Array): void {
    const end = this.#position + bytes.length
    if (end > this.#output.length) this.#output = Buffer.concat([this.#output, Buffer.alloc(2 * end - this.#output.length)])
    this.#output.set(bytes, this.#position)
    this.#position = end
    this.#length = Math.max(this.#length, end)
  }
}
