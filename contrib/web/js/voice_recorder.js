// SPDX-License-Identifier: BSD-2-Clause
// Records a voice message with the microphone, as Opus where the browser can, and its loudness over time.

const KINDS = ['audio/webm;codecs=opus', 'audio/ogg;codecs=opus', 'audio/mp4', 'audio/webm'];
const ENDINGS = {'audio/webm': 'webm', 'audio/ogg': 'ogg', 'audio/mp4': 'm4a'};
const SAMPLE_MS = 50;
const LEVELS = 48;
const LEVEL_MAX = 31;
const BITS_PER_SECOND = 32000;

// Without https there is no microphone.
export function canRecord() {
    return typeof MediaRecorder === 'function' && Boolean(navigator.mediaDevices?.getUserMedia);
}

// As many levels as a message tells, 0 to LEVEL_MAX, of any number of loudnesses from 0 to 1.
export function waveformOf(samples) {
    if (samples.length === 0)
        return [];
    const peak = Math.max(0.05, ...samples);
    const count = Math.min(LEVELS, samples.length);
    return Array.from({length: count}, (_, i) => {
        const part = samples.slice(Math.floor(i * samples.length / count), Math.max(Math.floor(i * samples.length / count) + 1, Math.floor((i + 1) * samples.length / count)));
        return Math.round(LEVEL_MAX * Math.max(...part) / peak);
    });
}

export class VoiceRecorder {
    #stream = null;
    #recorder = null;
    #context = null;
    #timer = null;
    #chunks = [];
    #samples = [];
    #begun = 0;
    #isOver = false;
    #onLevel;

    // onLevel(loudness from 0 to 1, seconds), some times a second
    constructor(onLevel) {
        this.#onLevel = onLevel;
    }

    get seconds() {
        return this.#begun === 0 ? 0 : (performance.now() - this.#begun) / 1000;
    }

    // Rejects where there is no microphone, or it may not be used. False where it was over before.
    async start() {
        this.#stream = await navigator.mediaDevices.getUserMedia({audio: {echoCancellation: true, noiseSuppression: true}});
        if (this.#isOver) {
            this.#release();
            return false;
        }
        const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
        this.#recorder = new MediaRecorder(this.#stream, {...mimeType && {mimeType}, audioBitsPerSecond: BITS_PER_SECOND});
        this.#recorder.addEventListener('dataavailable', ({data}) => data.size > 0 && this.#chunks.push(data));
        this.#recorder.start(1000);
        this.#begun = performance.now();
        this.#listen();
        return true;
    }

    #listen() {
        this.#context = new AudioContext();
        const analyser = this.#context.createAnalyser();
        analyser.fftSize = 1024;
        this.#context.createMediaStreamSource(this.#stream).connect(analyser);
        const values = new Float32Array(analyser.fftSize);
        this.#timer = setInterval(() => {
            analyser.getFloatTimeDomainData(values);
            const loudness = Math.min(1, 3 * Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length));
            this.#samples.push(loudness);
            this.#onLevel(loudness, this.seconds);
        }, SAMPLE_MS);
    }

    // {file, seconds, waveform}; null where nothing was recorded.
    async stop() {
        const {seconds} = this;
        this.#isOver = true;
        if (this.#recorder === null || this.#recorder.state === 'inactive')
            return null;
        const ended = new Promise((resolve) => {
            this.#recorder.addEventListener('stop', resolve, {once: true});
        });
        this.#recorder.stop();
        await ended;
        this.#release();
        const type = this.#recorder.mimeType.split(';')[0];
        const name = `voice-${new Date().toISOString().slice(0, 19).replace(/\D/g, '')}.${ENDINGS[type] ?? 'bin'}`;
        return this.#chunks.length === 0 ? null : {file: new File(this.#chunks, name, {type}), seconds: Math.round(seconds * 10) / 10, waveform: waveformOf(this.#samples)};
    }

    cancel() {
        this.#isOver = true;
        if (this.#recorder !== null && this.#recorder.state !== 'inactive')
            this.#recorder.stop();
        this.#release();
    }

    #release() {
        clearInterval(this.#timer);
        this.#stream?.getTracks().forEach((track) => track.stop());
        this.#context?.close().catch(() => {});
        this.#context = null;
    }
}
