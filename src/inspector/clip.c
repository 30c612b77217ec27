/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base.h"
#include "inspector/clip.h"

#include "inspector/picture.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IO_BYTES 65536
/* Of the recording, before its streams are known, and until there is a frame to show. */
#define PROBE_BYTES (8 * 1048576)
#define PACKETS_MAX 400

struct kind {
	const char *type, *format;
};

static const struct kind kinds[] = {
	{"video/mp4", "mov"},  {"video/quicktime", "mov"}, {"video/3gpp", "mov"},
	{"audio/mp4", "mov"},  {"video/webm", "matroska"}, {"video/x-matroska", "matroska"},
	{"audio/ogg", "ogg"},  {"video/ogg", "ogg"},	   {"application/ogg", "ogg"},
	{"audio/mpeg", "mp3"}, {"audio/wav", "wav"},	   {"audio/flac", "flac"},
	{"audio/aac", "aac"},
};

/* What people send; the many others that FFmpeg knows are old, and read by few. */
static const char decoders[] =
	"h264,hevc,vp8,vp9,libvpx,libvpx-vp9,libdav1d,av1,mpeg4,theora,mjpeg,aac,mp3float,mp3,opus,libopus,vorbis,"
	"flac,alac,pcm_s16le,pcm_s24le,pcm_s32le,pcm_f32le,pcm_u8,pcm_alaw,pcm_mulaw,amrnb,amrwb";

static const struct kind *kind_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	return NULL;
}

bool clip_is(const char *type)
{
	return kind_of(type) != NULL;
}

void clip_start(void)
{
	av_log_set_level(AV_LOG_QUIET);
}

/* ---- the file, which is in memory ---- */

struct reader {
	const struct subject *s;
	int64_t at;
};

static int read_bytes(void *opaque, uint8_t *to, int most)
{
	struct reader *in = opaque;
	int64_t left = (int64_t)in->s->len - in->at;
	int n = left < most ? (int)left : most;
	if (n <= 0)
		return AVERROR_EOF;
	memcpy(to, in->s->data + in->at, (size_t)n);
	in->at += n;
	return n;
}

static int64_t seek_to(void *opaque, int64_t offset, int whence)
{
	struct reader *in = opaque;
	int64_t size = (int64_t)in->s->len;
	if ((whence & AVSEEK_SIZE) != 0)
		return size;
	whence &= ~AVSEEK_FORCE;
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? in->at : whence == SEEK_END ? size : -1;
	if (base < 0 || offset < -base || offset > size - base)
		return AVERROR(EINVAL);
	in->at = base + offset;
	return in->at;
}

static AVFormatContext *open_clip(const struct kind *k, AVIOContext *io)
{
	AVDictionary *options = NULL;
	AVFormatContext *c = avformat_alloc_context();
	if (c == NULL)
		return NULL;
	c->pb = io;
	c->probesize = PROBE_BYTES;
	c->flags |= AVFMT_FLAG_CUSTOM_IO;
	av_dict_set(&options, "codec_whitelist", decoders, 0);
	av_dict_set(&options, "protocol_whitelist", "none", 0);
	int rc = avformat_open_input(&c, NULL, av_find_input_format(k->format), &options);
	av_dict_free(&options);
	if (rc < 0) /* it has freed the context */
		return NULL;
	if (avformat_find_stream_info(c, NULL) < 0)
		avformat_close_input(&c);
	return c;
}

/* ---- what it says of itself ---- */

static const AVStream *stream_of(const AVFormatContext *c, enum AVMediaType kind)
{
	for (unsigned i = 0; i < c->nb_streams; i++)
		/* A cover of an album is no video. */
		if (c->streams[i]->codecpar->codec_type == kind &&
		    (c->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC) == 0)
			return c->streams[i];
	return NULL;
}

static int64_t duration_of(const AVFormatContext *c)
{
	int64_t ms = -1;
	if (c->duration != AV_NOPTS_VALUE && c->duration >= 0)
		ms = c->duration / (AV_TIME_BASE / 1000);
	return ms > INSPECT_DURATION_MAX_MS ? INSPECT_DURATION_MAX_MS : ms;
}

/* Clockwise, to be shown. */
static int turn_of(const AVStream *stream)
{
	const int32_t *matrix =
		(const int32_t *)(const void *)av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
	if (matrix == NULL)
		return 0;
	double angle = av_display_rotation_get(matrix);
	if (!(angle >= -360 && angle <= 360))
		return 0;
	int turn = (int)(-angle + 720 + 45) / 90 % 4;
	return turn * 90;
}

/* ---- the first frame ---- */

static bool put_frame(const struct subject *s, const AVFrame *f, int turn, struct inspect_result *r)
{
	unsigned w = (unsigned)f->width, h = (unsigned)f->height, side = LOOK_THUMB_SIDE;
	if (f->width <= 0 || f->height <= 0 || (uint64_t)w * h > LOOK_PIXELS_MAX)
		return false;
	if (w > side || h > side) {
		unsigned longer = w > h ? w : h;
		w = w * side / longer > 0 ? w * side / longer : 1;
		h = h * side / longer > 0 ? h * side / longer : 1;
	}
	struct SwsContext *scale = sws_getContext(f->width, f->height, (enum AVPixelFormat)f->format, (int)w, (int)h,
						  AV_PIX_FMT_RGB24, SWS_AREA, NULL, NULL, NULL);
	/* It writes whole vectors. */
	unsigned char *rgb = calloc((size_t)w * h * 3 + 64, 1);
	int stride = (int)w * 3;
	bool done = scale != NULL && rgb != NULL &&
		    sws_scale(scale, (const uint8_t *const *)f->data, f->linesize, 0, f->height, &rgb, &stride) > 0;
	if (done)
		picture_poster(s, rgb, w, h, turn, r);
	sws_freeContext(scale);
	free(rgb);
	return done;
}

static bool decode_frame(AVFormatContext *c, const AVStream *stream, AVCodecContext *decoder, AVPacket *packet,
			 AVFrame *frame)
{
	for (int n = 0; n < PACKETS_MAX; n++) {
		int rc = av_read_frame(c, packet);
		if (rc < 0)
			avcodec_send_packet(decoder, NULL);
		else if (packet->stream_index == stream->index)
			avcodec_send_packet(decoder, packet);
		av_packet_unref(packet);
		if (avcodec_receive_frame(decoder, frame) == 0)
			return true;
		if (rc < 0)
			return false;
	}
	return false;
}

static bool is_decoder_known(const AVCodec *codec)
{
	size_t len = strlen(codec->name);
	for (const char *p = decoders; (p = strstr(p, codec->name)) != NULL; p += len)
		if ((p == decoders || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

static void put_poster(const struct subject *s, AVFormatContext *c, const AVStream *stream, int turn,
		       struct inspect_result *r)
{
	const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
	AVCodecContext *decoder = codec != NULL && is_decoder_known(codec) ? avcodec_alloc_context3(codec) : NULL;
	AVPacket *packet = av_packet_alloc();
	AVFrame *frame = av_frame_alloc();
	if (decoder != NULL && packet != NULL && frame != NULL &&
	    avcodec_parameters_to_context(decoder, stream->codecpar) >= 0) {
		decoder->thread_count = 1;
		decoder->max_pixels = LOOK_PIXELS_MAX;
		if (avcodec_open2(decoder, codec, NULL) == 0 && decode_frame(c, stream, decoder, packet, frame))
			put_frame(s, frame, turn, r);
	}
	av_frame_free(&frame);
	av_packet_free(&packet);
	avcodec_free_context(&decoder);
}

/* ---- all of it ---- */

static void set_plain(struct inspect_result *r)
{
	*r = (struct inspect_result){.status = INSPECT_OK, .duration_ms = -1};
	snprintf(r->content_type, sizeof(r->content_type), "application/octet-stream");
}

/* Containers that may hold either are named by what they hold. */
static void set_type(struct inspect_result *r, const char *type, bool has_video)
{
	const char *slash = strchr(type, '/'), *form = slash + 1;
	if (strcmp(type, "application/ogg") == 0 || strncmp(type, "video/", 6) == 0 || strcmp(type, "audio/ogg") == 0 ||
	    strcmp(type, "audio/mp4") == 0) {
		if (!has_video && (strcmp(form, "quicktime") == 0 || strcmp(form, "3gpp") == 0))
			form = "mp4";
		snprintf(r->content_type, sizeof(r->content_type), "%s/%s", has_video ? "video" : "audio", form);
	}
}

static void describe(const struct subject *s, AVFormatContext *c, struct inspect_result *r)
{
	const AVStream *video = stream_of(c, AVMEDIA_TYPE_VIDEO), *audio = stream_of(c, AVMEDIA_TYPE_AUDIO);
	if (video == NULL && audio == NULL) {
		set_plain(r);
		return;
	}
	set_type(r, s->type, video != NULL);
	r->duration_ms = duration_of(c);
	r->is_checked = true;
	if (video == NULL)
		return;
	int w = video->codecpar->width, h = video->codecpar->height, turn = turn_of(video);
	if (w <= 0 || h <= 0 || w > INSPECT_SIDE_MAX || h > INSPECT_SIDE_MAX) {
		set_plain(r);
		return;
	}
	r->width = (uint32_t)(turn % 180 == 0 ? w : h);
	r->height = (uint32_t)(turn % 180 == 0 ? h : w);
	put_poster(s, c, video, turn, r);
}

void clip_look(const struct subject *s, struct inspect_result *r)
{
	struct reader reader = {.s = s};
	unsigned char *buffer = av_malloc(IO_BYTES);
	AVIOContext *io =
		buffer != NULL ? avio_alloc_context(buffer, IO_BYTES, 0, &reader, read_bytes, NULL, seek_to) : NULL;
	AVFormatContext *c = io != NULL ? open_clip(kind_of(s->type), io) : NULL;
	if (c != NULL)
		describe(s, c, r);
	else
		set_plain(r);
	avformat_close_input(&c);
	if (io != NULL)
		av_freep(&io->buffer);
	avio_context_free(&io);
}
