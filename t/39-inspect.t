# SPDX-License-Identifier: BSD-2-Clause
# Proves what the media process finds in files of all kinds, that pictures lose their metadata and keep their pixels, that the sandbox
# holds, and what a thumbnail costs.
use Tidings;
use Tidings::Inspect qw(vips header_of make_clip);
use Tidings::Util qw(run slurp spew);
use Cwd qw(abs_path);

my $dir = Tidings::dir();
my $build = abs_path($ENV{TIDINGS_BUILD} // '.');
my $i = Tidings::Inspect->new;

sub file { my ($name, @content) = @_; return spew("$dir/$name", join '', @content) }
sub look_at { my ($path) = @_; my ($r) = $i->look($path); return $r }

# A picture with something to see in it, in sRGB.
sub picture {
	my ($name, $w, $h, %o) = @_;
	vips('xyz', "$dir/xyz.v", $w, $h);
	vips('linear', "$dir/xyz.v", "$dir/lin.v", sprintf('%f %f', 255 / $w, 255 / $h), '0 0');
	vips('bandjoin_const', "$dir/lin.v", "$dir/rgb.v", $o{alpha} ? '80 128' : '80');
	vips('cast', "$dir/rgb.v", "$dir/cast.v", 'uchar');
	vips('copy', "$dir/cast.v", "$dir/named.v", '--interpretation', 'srgb');
	vips('copy', "$dir/named.v", "$dir/$name" . ($o{save} // ''));
	return "$dir/$name";
}

# EXIF with an orientation, a place and a camera, as a camera writes it: TIFF, little endian.
sub exif {
	my ($orientation) = @_;
	my $gps = pack 'v (vvVa4 vvVV) V', 2, 1, 2, 2, "N\0", 2, 5, 3, 200, 0;
	my $ifd = pack 'v (vvVV vvVvv vvVV) V', 3, 0x010F, 2, 12, 100, 0x0112, 3, 1, $orientation, 0, 0x8825, 4, 1, 120, 0;
	my $tiff = pack('a2vV', 'II', 42, 8) . $ifd;
	$tiff .= "\0" x (100 - length $tiff) . "SecretCamera\0";
	$tiff .= "\0" x (120 - length $tiff) . $gps;
	return $tiff . "\0" x (200 - length $tiff) . pack('V6', 48, 1, 8, 1, 15, 1);
}
sub jpeg_with { my ($jpeg, @segments) = @_; return substr($jpeg, 0, 2) . join('', map { "\xFF" . chr($_->[0]) . pack('n', 2 + length $_->[1]) . $_->[1] } @segments) . substr $jpeg, 2 }
sub png_chunk { my ($type, $data) = @_; require Compress::Zlib; return pack('N', length $data) . $type . $data . pack('N', Compress::Zlib::crc32($type . $data)) }
sub png_with { my ($png, @chunks) = @_; return substr($png, 0, 33) . join('', @chunks) . substr $png, 33 }
sub webp_with {
	my ($webp, %chunks) = @_;
	my ($w, $h, $at) = (63, 47, index $webp, 'VP8 ');
	my $body = 'VP8X' . pack('V C x3', 10, 0x0C) . substr(pack('V', $w), 0, 3) . substr(pack('V', $h), 0, 3) . substr($webp, $at, 8 + unpack 'V', substr $webp, $at + 4, 4);
	$body .= $_ . pack('V', length $chunks{$_}) . $chunks{$_} . "\0" x (length($chunks{$_}) & 1) for sort keys %chunks;
	return 'RIFF' . pack('V', 4 + length $body) . 'WEBP' . $body;
}

my $hash = qr/\A[0-9A-Za-z#\$%*+,.:;=?\@\[\]^_{|}~-]{28}\z/;

sub clean_of { my ($path) = @_; return slurp("$path.clean") }
sub pixels_of { my ($path) = @_; vips('copy', $path, "$dir/pixels.v"); vips('rawsave', "$dir/pixels.v", "$dir/pixels.raw"); return slurp("$dir/pixels.raw") }

sub is_picture {
	my ($r, $type, $w, $h, $what) = @_;
	is_deeply [@$r{qw(status reason type width height duration_ms thumb clean checked)}], ['ok', '', $type, $w, $h, undef, 1, 1, 1], $what;
	like $r->{blurhash}, $hash, "$what: a blurhash";
	my %thumb = header_of("$r->{path}.thumb");
	my ($tw, $th) = @thumb{qw(width height)};
	my $scale = $w > $h ? 320 / $w : 320 / $h;
	$scale = 1 if $scale > 1;
	ok slurp("$r->{path}.thumb") =~ /\ARIFF....WEBP/s && abs($tw - $w * $scale) <= 1 && abs($th - $h * $scale) <= 1, "$what: a thumbnail of $tw x $th";
	return;
}

subtest 'pictures' => sub {
	my %kind = ('p.png' => 'image/png', 'p.jpg' => 'image/jpeg', 'p.webp' => 'image/webp', 'p.gif' => 'image/gif');
	for my $name (sort keys %kind) {
		my $path = picture($name, 640, 480);
		my $r = look_at($path);
		is_picture($r, $kind{$name}, 640, 480, $name);
		is length(clean_of($path)) > 0 && pixels_of("$path.clean") eq pixels_of($path), 1, "$name: the clean copy has the same pixels";
	}
	for my $name ('p.avif', 'p.heic') {
		my $path = eval { picture($name, 640, 480) };
		SKIP: {
			skip "this libvips does not write $name", 1 if !$path;
			is_picture(look_at($path), 'image/jpeg', 640, 480, "$name becomes what browsers show");
		}
	}
	is_picture(look_at(picture('small.png', 3, 2)), 'image/png', 3, 2, 'a small one');
	is_picture(look_at(picture('line.png', 1000, 1)), 'image/png', 1000, 1, 'a line');
	is_picture(look_at(picture('alpha.png', 64, 48, alpha => 1)), 'image/png', 64, 48, 'one that is half transparent');
	rename picture('lying.png', 8, 6), "$dir/lying.html";
	is_picture(look_at("$dir/lying.html"), 'image/png', 8, 6, 'whatever its name says, a picture');
};

subtest 'metadata' => sub {
	my $xmp = "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Secret place</x:xmpmeta>";
	my $exif = "Exif\0\0" . exif(1);
	my $path = picture('m.jpg', 64, 48);
	my $plain = slurp($path);
	file('m.jpg', jpeg_with($plain, [0xE1, $exif], [0xE1, $xmp], [0xED, "Photoshop 3.0\0Secret"], [0xFE, 'Secret comment'], [0xE5, 'Secret']), 'Secret after its end');
	my $r = look_at($path);
	is_picture($r, 'image/jpeg', 64, 48, 'a JPEG with all kinds of metadata');
	unlike clean_of($path), qr/Secret|Exif|xap/, 'loses them';
	is length clean_of($path) <= length $plain, 1, 'and what follows its end';
	ok pixels_of("$path.clean") eq pixels_of($path), 'and no pixel';

	$path = picture('m.png', 64, 48);
	$plain = slurp($path);
	file('m.png', png_with($plain, png_chunk('tEXt', "Comment\0Secret"), png_chunk('eXIf', exif(1)), png_chunk('iTXt', "XML:com.adobe.xmp\0\0\0\0\0Secret"), png_chunk('tIME', 'Secret!'), png_chunk('seCr', 'Secret')), 'Secret');
	is_picture(look_at($path), 'image/png', 64, 48, 'a PNG with text');
	unlike clean_of($path), qr/Secret|eXIf|tEXt/, 'loses it';

	$path = picture('m.webp', 64, 48, save => '[strip]');
	file('m.webp', webp_with(slurp($path), 'EXIF' => exif(1), 'XMP ' => '<x>Secret</x>', 'SECR' => 'Secret'), 'Secret');
	is_picture(look_at($path), 'image/webp', 64, 48, 'a WebP with EXIF');
	unlike clean_of($path), qr/Secret|EXIF|XMP /, 'loses it';

	$path = picture('m.gif', 64, 48);
	$plain = slurp($path);
	file('m.gif', substr($plain, 0, -1) . "!\xFE\x06Secret\0" . "!\xFF\x0BXMP DataXMP\x06Secret\0;Secret");
	is_picture(look_at($path), 'image/gif', 64, 48, 'a GIF with a comment');
	unlike clean_of($path), qr/Secret|XMP/, 'loses it';
};

subtest 'orientation' => sub {
	my $path = picture('o.jpg', 64, 48);
	my $plain = slurp($path);
	for my $orientation (2 .. 8) {
		file('o.jpg', jpeg_with($plain, [0xE1, "Exif\0\0" . exif($orientation)]));
		my ($w, $h) = $orientation >= 5 ? (48, 64) : (64, 48);
		is_picture(look_at($path), 'image/jpeg', $w, $h, "orientation $orientation");
		my %now = header_of("$path.clean");
		is "$now{width} x $now{height}", "$w x $h", 'is applied in the clean copy';
		unlike clean_of($path), qr/Exif|Secret/, 'which says nothing of it any more';
	}
	vips('autorot', $path, "$dir/turned.jpg[Q=90]");
	my $off = 0;
	my ($ours, $theirs) = (pixels_of("$path.clean"), pixels_of("$dir/turned.jpg"));
	$off += abs(ord(substr $ours, $_, 1) - ord substr $theirs, $_, 1) for 0 .. length($ours) - 1;
	cmp_ok $off / length $ours, '<', 3, 'the pixels are where they belong';
};

subtest 'animations' => sub {
	picture("f$_.png", 40, 30) for 1 .. 4;
	vips('arrayjoin', join(' ', map { "$dir/f$_.png" } 1 .. 4), "$dir/joined.v", '--across', 1);
	for my $name ('a.gif', 'a.webp') {
		# libvips needs to be told of the height of a page.
		make_clip("$dir/$name", '-f', 'lavfi', '-i', 'testsrc=size=40x30:rate=5:duration=0.8', '-loop', 0);
		my $r = look_at("$dir/$name");
		is_picture($r, $name =~ /gif/ ? 'image/gif' : 'image/webp', 40, 30, $name);
		my %now = header_of("$dir/$name.clean");
		is $now{'n-pages'}, 4, 'all pictures are kept';
	}
};

subtest 'other files' => sub {
	for my $case (['text/plain', "Hello, world.\n" x 10], ['application/pdf', "%PDF-1.4\n1 0 obj\n"], ['image/svg+xml', qq(<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>)],
		['text/html', "<!DOCTYPE html><html><script>alert(1)</script></html>"], ['application/zip', "PK\x03\x04\x14\0\0\0\x08\0" . "\0" x 60], ['application/octet-stream', "\0" x 1000], ['application/octet-stream', '']) {
		my ($type, $content) = @$case;
		my $r = look_at(file('other', $content));
		is_deeply [@$r{qw(status type width height duration_ms blurhash thumb clean checked)}], ['ok', $type, 0, 0, undef, '', 0, 0, 0], "$type: a plain file";
	}
};

# ---- audio and video ----

my @picture = qw(-f lavfi -i testsrc=size=640x360:rate=25:duration=2);
my @sound = qw(-f lavfi -i sine=duration=2);
my $mp4 = make_clip("$dir/v.mp4", @picture, @sound, qw(-pix_fmt yuv420p -c:v libx264 -c:a aac -metadata title=Secret));

subtest 'video' => sub {
	my %case = (
		'v.mp4' => ['video/mp4'], 'v.mov' => ['video/quicktime', qw(-c copy)], 'v.mkv' => ['video/x-matroska', qw(-c copy)],
		'v.webm' => ['video/webm', qw(-c:v libvpx -c:a libvorbis)], 'v9.webm' => ['video/webm', qw(-c:v libvpx-vp9 -deadline realtime -c:a libopus)],
		'v5.mp4' => ['video/mp4', qw(-c:v libx265 -x265-params log-level=none)], 'v4.mp4' => ['video/mp4', qw(-c:v mpeg4)],
	);
	make_clip("$dir/$_", '-i', $mp4, @{$case{$_}}[1 .. $#{$case{$_}}]) for grep { $_ ne 'v.mp4' } sort keys %case;
	for my $name (sort keys %case) {
		my $r = look_at("$dir/$name");
		is_deeply [@$r{qw(status type width height thumb clean checked)}], ['ok', $case{$name}[0], 640, 360, 1, 0, 1], $name;
		ok abs($r->{duration_ms} - 2000) < 150, "$name: $r->{duration_ms} ms";
		like $r->{blurhash}, $hash, "$name: a blurhash";
		my %thumb = header_of("$dir/$name.thumb");
		is "$thumb{width} x $thumb{height}", '320 x 180', "$name: a picture of it";
	}
};

# A phone held upright says by which angle to turn.
subtest 'a video that is turned' => sub {
	for my $angle (90, 180, 270) {
		make_clip("$dir/turned.mp4", '-i', $mp4, qw(-c copy -metadata:s:v:0), "rotate=$angle");
		my $r = look_at("$dir/turned.mp4");
		my ($w, $h) = $angle == 180 ? (640, 360) : (360, 640);
		is "$r->{width} x $r->{height}", "$w x $h", "by $angle degrees";
		make_clip("$dir/seen.png", '-i', "$dir/turned.mp4", '-vframes', 1, '-vf', $angle == 180 ? 'scale=320:180' : 'scale=180:320');
		vips('extract_band', "$dir/turned.mp4.thumb", "$dir/ours.v", 0);
		vips('extract_band', "$dir/seen.png", "$dir/theirs.v", 0);
		vips('subtract', "$dir/ours.v", "$dir/theirs.v", "$dir/off.v");
		vips('abs', "$dir/off.v", "$dir/abs.v");
		cmp_ok vips('avg', "$dir/abs.v"), '<', 12, 'as a player shows it';
	}
};

subtest 'audio' => sub {
	my %case = ('a.m4a' => 'audio/mp4', 'a.mp3' => 'audio/mpeg', 'a.ogg' => 'audio/ogg', 'a.wav' => 'audio/wav', 'a.flac' => 'audio/flac', 'a.aac' => 'audio/aac',
		'a.webm' => 'audio/webm', 'a.mp4' => 'audio/mp4');
	my %how = ('a.webm' => [qw(-c:a libopus)]);
	for my $name (sort keys %case) {
		my $r = look_at(make_clip("$dir/$name", @sound, @{$how{$name} // []}));
		is_deeply [@$r{qw(status type width height blurhash thumb clean checked)}], ['ok', $case{$name}, 0, 0, '', 0, 0, 1], $name;
		ok abs($r->{duration_ms} - 2000) < 150, "$name: $r->{duration_ms} ms";
	}
	make_clip("$dir/cover.mp3", '-i', "$dir/a.mp3", '-i', "$dir/seen.png", qw(-map 0 -map 1 -c:v mjpeg -c:a copy -disposition:v attached_pic));
	my $r = look_at("$dir/cover.mp3");
	is_deeply [@$r{qw(type width thumb)}], ['audio/mpeg', 0, 0], 'a cover of an album makes no video of it';
	is_deeply [@{look_at(file('broken.mp4', "\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", 'x' x 1000))}{qw(status type checked)}], ['ok', 'application/octet-stream', 0], 'what cannot be played is a plain file';
};

# ---- what it costs ----

subtest 'a photo of 12 megapixels' => sub {
	vips('gaussnoise', "$dir/noise.v", 1000, 750, '--mean', 128, '--sigma', 40);
	vips('bandjoin', "$dir/noise.v $dir/noise.v $dir/noise.v", "$dir/three.v");
	vips('resize', "$dir/three.v", "$dir/large.v", 4);
	vips('cast', "$dir/large.v", "$dir/photo.v", 'uchar');
	vips('copy', "$dir/photo.v", "$dir/photo.jpg[Q=85]");
	my $asan = slurp("$build/config.log") =~ /--enable-asan/;
	file('turned.jpg', jpeg_with(slurp("$dir/photo.jpg"), [0xE1, "Exif\0\0" . exif(6)]));
	for my $name ('photo.jpg', 'turned.jpg') {
		my ($best, $most) = (1e9, 0);
		for (1 .. 5) {
			$i->say("$dir/$name");
			for (;;) {
				# What it takes beyond what it shares with others.
				my ($child) = $i->children;
				my $text = $child && eval { slurp("/proc/$child/status") } || '';
				$most = $1 if $text =~ /^RssAnon:\s+(\d+) kB/m && $1 > $most;
				my $bits = '';
				vec($bits, fileno $i->{out}, 1) = 1;
				last if select $bits, undef, undef, 0.002;
			}
			my $r = $i->next_answer;
			is $r->{status}, 'ok', "$name is read" if $_ == 1;
			$best = $r->{ms} if $r->{ms} < $best;
		}
		diag sprintf '%s, 12 megapixels: %d ms, %.0f MB', $name, $best, $most / 1024;
		cmp_ok $best, '<', 400 * ($asan ? 4 : 1) * ($name eq 'turned.jpg' ? 3 : 1), 'in time';
		cmp_ok $most, '>', 0, 'it was seen at work';
		cmp_ok $most, '<', 200 * 1024 * ($asan ? 4 : 1), 'without much memory';
	}
};

# ---- the sandbox ----

subtest 'the sandbox' => sub {
	my $tried = sub { my ($what) = @_; local $ENV{ASAN_OPTIONS} = 'allocator_may_return_null=1'; my ($status) = run($dir, "$build/t/sandbox", $what); return $status };
	my ($asan) = slurp("$build/config.log") =~ /--enable-asan/ ? 1 : 0;
	is $tried->($_), 0, "$_ is allowed" for 'nothing', 'thread', 'send';
	is $tried->($_), 128 + 31, "$_ ends the process" for 'socket', 'socketpair', 'fork', 'vfork', 'exec', 'kill', 'ptrace', 'unlink', 'code', 'limits', 'send elsewhere';
	is $tried->($_), 1, "$_ is refused" for 'open', 'create';
	ok !-e "$dir/tried", 'and nothing is made';
	is $tried->('write'), 128 + 25, 'so is a large file';
	is $tried->('spin'), 128 + 24, 'and the time of the processor';
	SKIP: {
		skip 'AddressSanitizer needs all addresses', 1 if $asan;
		is $tried->('memory'), 1, 'there is no more memory than allowed';
	}
};

is $i->stop, 0, 'the process leaves when told';
done_testing;
