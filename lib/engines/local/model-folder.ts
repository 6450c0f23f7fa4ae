import { readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

/**
 * The model settings for a folder as sherpa-onnx publishes them, told apart by the names of its
 * files. Of several precisions the smaller (`int8`) is taken.
 *
 * @throws a line that names what was looked for
 */
export function recognizerModel (folder: string): object {
  const files = list(folder)
  const path = (pattern: RegExp): string | undefined => pick(folder, files, pattern)
  const tokens = path(/tokens\.txt$/)
  if (!tokens) throw new Error(`the model folder ${folder} has no tokens.txt`)
  const encoder = path(/encod.*\.(onnx|ort)$/)
  const decoder = path(/^(?!.*(merged|uncached|cached)).*decode.*\.onnx$/)
  const joiner = path(/joiner.*\.onnx$/)
  const mergedDecoder = path(/merged.*\.(onnx|ort)$/)
  const preprocessor = path(/preprocess.*\.onnx$/)
  const uncachedDecoder = path(/uncached.*\.onnx$/)
  const cachedDecoder = path(/(^|[^n])cached.*\.onnx$/)
  if (encoder && mergedDecoder) return { moonshine: { encoder, mergedDecoder }, tokens }
  if (encoder && preprocessor && uncachedDecoder && cachedDecoder) {
    return { moonshine: { preprocessor, encoder, uncachedDecoder, cachedDecoder }, tokens }
  }
  if (encoder && decoder && joiner) {
    const nemo = /nemo|parakeet/i.test(basename(resolve(folder)))
    return { transducer: { encoder, decoder, joiner }, tokens, ...nemo && { modelType: 'nemo_transducer' } }
  }
  if (encoder && decoder) return { whisper: { encoder, decoder }, tokens }
  const model = path(/model.*\.onnx$/)
  if (model && /sense-?voice/i.test(basename(resolve(folder)))) return { senseVoice: { model, useInverseTextNormalization: 1 }, tokens }
  throw new Error(`the model folder ${folder} is none of whisper, moonshine, transducer or SenseVoice`)
}

/** The same for a folder of a voice. */
export function voiceModel (folder: string): object {
  const files = list(folder)
  const path = (pattern: RegExp): string | undefined => pick(folder, files, pattern)
  const model = path(/\.onnx$/)
  const tokens = path(/^tokens\.txt$/)
  if (!model || !tokens) throw new Error(`the model folder ${folder} has no ${model ? 'tokens.txt' : '.onnx file'}`)
  const voices = path(/^voices\.bin$/)
  const shared = { model, tokens, dataDir: path(/^espeak-ng-data$/) ?? '', lexicon: lexicons(folder, files) }
  if (!voices) return { vits: shared }
  return /kitten/i.test(basename(resolve(folder))) ? { kitten: { ...shared, voices } } : { kokoro: { ...shared, voices } }
}

function list (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    throw new Error(`the model folder ${folder} cannot be read`, { cause: error })
  }
}

function pick (folder: string, files: string[], pattern: RegExp): string | undefined {
  const names = files.filter((name) => pattern.test(name))
  const name = names.find((name) => name.includes('int8')) ?? names[0]
  return name === undefined ? undefined : join(folder, name)
}

function lexicons (folder: string, files: string[]): string {
  return files.filter((name) => /^lexicon.*\.txt$/.test(name)).map((name) => join(folder, name)).join(',')
}
