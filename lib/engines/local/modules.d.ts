/** Packages without types of their own: only what is used of them. */

declare module '@echogarden/speex-resampler-wasm/simd' {
  const load: () => Promise<unknown>
  export default load
}

declare module 'sherpa-onnx-node' {
  export interface Waveform {
    /** -1..1 */
    samples: Float32Array
    sampleRate: number
  }
  export interface OfflineStream {
    acceptWaveform (waveform: Waveform): void
  }
  interface OfflineRecognizer {
    createStream (): OfflineStream
    decodeAsync (stream: OfflineStream): Promise<{ text: string }>
  }
  interface OfflineTts {
    numSpeakers: number
    sampleRate: number
    generateAsync (request: {
      text: string
      sid: number
      speed: number
      enableExternalBuffer: boolean
    }): Promise<Waveform>
  }
  /** A CommonJS package: its classes are properties of the default import. */
  const sherpa: {
    OfflineRecognizer: { createAsync (config: object): Promise<OfflineRecognizer> }
    OfflineTts: { createAsync (config: object): Promise<OfflineTts> }
  }
  export default sherpa
}

/** Node's types leave it to the DOM's. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer
  }
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>
  }
  const Instance: new (module: Module, imports: object) => Instance
  function compile (bytes: Uint8Array): Promise<Module>
}
