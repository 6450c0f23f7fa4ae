import sherpa from 'sherpa-onnx-node'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Recognize } from './decode-queue.js'
import { modelFile, packageFile } from './files.js'
import { recognizerModel } from './model-folder.js'

const RATE = 16_000

/** Loads the folder's model, or Moonshine tiny. */
export async function loadRecognizer (folder: string | undefined): Promise<Recognize> {
  return folder === undefined ? loadMoonshine() : create(recognizerModel(folder))
}

async function create (model: object): Promise<Recognize> {
  const recognizer = await sherpa.OfflineRecognizer.createAsync({
    featConfig: { sampleRate: RATE, featureDim: 80 },
    // One thread for each decode: several utterances share the cores better than one uses them.
    modelConfig: { numThreads: 1, provider: 'cpu', debug: 0, ...model }
  })
  return async (samples) => {
    const stream = recognizer.createStream()
    stream.acceptWaveform({ samples, sampleRate: RATE })
    return (await recognizer.decodeAsync(stream)).text.trim()
  }
}

/** The weights are in one package, the vocabulary in another; sherpa wants the latter as a file of its own form. */
async function loadMoonshine (): Promise<Recognize> {
  const weights = join(dirname(packageFile('@moonshine-ai/moonshine-js')), 'model', 'tiny', 'quantized')
  const encoder = modelFile(join(weights, 'encoder_model.onnx'))
  const mergedDecoder = modelFile(join(weights, 'decoder_model_merged.onnx'))
  // A folder of this process alone, gone once the model is loaded: nothing to go stale or to be tampered with.
  const folder = await mkdtemp(join(tmpdir(), 'dramatis-'))
  try {
    const tokens = join(folder, 'tokens.txt')
    await writeFile(tokens, await vocabulary())
    return await create({ moonshine: { encoder, mergedDecoder }, tokens })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * One line for each token: its text in base64 and its number. The tokenizer takes 35 MB that no
 * garbage collection gives back, hence a thread that ends.
 */
function vocabulary (): Promise<string> {
  const url = `file://${packageFile('llama-tokenizer-js')}`
  const code = `import(${JSON.stringify(url)}).then(({ default: { vocabById } }) => {
    const line = (text, number) => Buffer.from(text).toString('base64') + ' ' + number + '\\n'
    require('node:worker_threads').parentPort.postMessage(vocabById.map(line).join(''))
  })`
  return new Promise((resolve, reject) => {
    let text = ''
    new Worker(code, { eval: true, execArgv: [] })
      .on('message', (message: string) => { text = message })
      .on('error', reject)
      .on('exit', () => resolve(text))
  })
}
