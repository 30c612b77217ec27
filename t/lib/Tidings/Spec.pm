# SPDX-License-Identifier: BSD-2-Clause
# Holds what goes over the wire against doc/openapi.yaml and doc/asyncapi.yaml. Answers and events are taken strictly: a
# member that is not documented is a fault. A request has to be as documented where it was granted; one that was refused
# may have been wrong on purpose. Where raw bytes were sent, only what answers them is looked at. A fault fails the test,
# once for each kind.
package Tidings::Spec;
use strict;
use warnings;
use B ();
use Cwd ();
use JSON::PP ();
use Test::Builder;
use YAML::XS ();

my $json = JSON::PP->new->utf8->allow_nonref;
my $doc = Cwd::abs_path(__FILE__) =~ s{/t/lib/.*\z}{/doc}r;

# The documents as written: (openapi, asyncapi).
sub documents {
	local $YAML::XS::Boolean = 'JSON::PP';
	return map { YAML::XS::LoadFile("$doc/$_.yaml") } qw(openapi asyncapi);
}

# Both as one document, for what can be followed within it: {openapi, asyncapi}, without examples. closed: objects have
# no members but those that are named.
sub combined {
	my (%o) = @_;
	my ($openapi, $asyncapi) = documents();
	return {openapi => prepare($openapi, '#/openapi/', %o), asyncapi => prepare($asyncapi, '#/asyncapi/', %o)};
}

sub prepare {
	my ($v, $here, %o) = @_;
	return [map { prepare($_, $here, %o) } @$v] if ref $v eq 'ARRAY';
	return $v if ref $v ne 'HASH';
	my %copy = map { $_ => prepare($v->{$_}, $here, %o) } grep { !/\Aexamples?\z/ } keys %$v;
	$copy{'$ref'} =~ s{\A\./openapi\.yaml#/}{#/openapi/} || $copy{'$ref'} =~ s{\A#/}{$here} if defined $copy{'$ref'};
	my @types = ref $copy{type} eq 'ARRAY' ? @{$copy{type}} : $copy{type} // ();
	# With words beside a reference the validator makes a schema for the moment, and knows what it has seen by its address.
	return {'$ref' => $copy{'$ref'}} if defined $copy{'$ref'} && !ref $copy{'$ref'} && !grep { !/\A(?:\$ref|description|summary)\z/ } keys %copy;
	$copy{additionalProperties} //= JSON::PP::false if $o{closed} && $copy{properties} && grep { $_ eq 'object' } @types;
	return \%copy;
}

my ($open, $closed, %seen);
sub schemas_of {
	my ($name, %o) = @_;
	require JSON::Validator::Schema::Draft201909; # only now: it brings much along
	# Without an id it would make one of the whole text.
	my $schemas = JSON::Validator::Schema::Draft201909->new(combined(%o), id => "urn:tidings:$name");
	# It would know data and schemas that it has seen by their addresses, also those of schemas that it makes for the moment,
	# and then take one for another. Data out of JSON never contains itself.
	return $schemas->recursive_data_protection(0);
}
sub open_schemas { return $open //= schemas_of('open') }
sub closed_schemas { return $closed //= schemas_of('closed', closed => 1) }

# Follows references within the combined document.
sub deref {
	my ($root, $v) = @_;
	while (ref $v eq 'HASH' && defined $v->{'$ref'}) {
		my $at = $root;
		for (split m{/}, substr $v->{'$ref'}, 2) {
			$at = (ref $at eq 'ARRAY' ? $at->[$_] : $at->{s{~1}{/}gr =~ s{~0}{~}gr}) // die "no $v->{'$ref'}\n";
		}
		$v = $at;
	}
	return $v;
}

# What a schema can tell apart of the data: most texts and numbers of a kind are one, words stay, as they may be an enum's.
sub shape_of {
	my ($v) = @_;
	return 'null' if !defined $v;
	return '{' . join(',', map { "$_:" . shape_of($v->{$_}) } sort keys %$v) . '}' if ref $v eq 'HASH';
	if (ref $v eq 'ARRAY') {
		my %kinds = map { shape_of($_) => 1 } @$v;
		return '[' . join('|', sort keys %kinds) . ']';
	}
	return $v ? 'true' : 'false' if ref $v;
	my $flags = B::svref_2object(\$v)->FLAGS;
	return $v < 0 ? '-' : $v < 1 ? '0' : $v == int $v ? '1' : '.5' if $flags & (B::SVf_IOK | B::SVf_NOK) && !($flags & B::SVf_POK);
	return $v =~ /\A[a-z_]*\z/ ? "'$v'" : $v =~ /\A[1-9][0-9]{0,18}\z/ ? "'1'" : $v =~ /\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/ ? 'time'
		: "'" . ($v =~ tr/!-~//c ? ' ' : '') . (length $v > 32 ? length $v : '') . "'";
}

# A copy of the data, of whose arrays only what was not seen there yet is left, and one element at least; but arrays of
# plain numbers stay whole, for there it matters how many they are. A copy also since looking at a value may change how
# Perl prints it.
sub news_of {
	my ($where, $v) = @_;
	return {map { $_ => news_of("$where.$_", $v->{$_}) } keys %$v} if ref $v eq 'HASH';
	return $v if ref $v ne 'ARRAY';
	return [@$v] if !grep { shape_of($_) !~ /\A(?:-|0|1|\.5)\z/ } @$v;
	my @new = grep { !$seen{"$where\[] " . shape_of($_)}++ } @$v;
	return [map { news_of("$where\[]", $_) } @new || !@$v ? @new : $v->[0]];
}

# The faults of data against a schema of one of the two.
sub data_faults {
	my ($schemas, $where, $schema, $data) = @_;
	my $news = news_of($where, $data);
	return if $seen{"$where " . shape_of($news)}++;
	return map { "$_" } $schemas->validate($news, $schema);
}

# ---- HTTP ----

my %templates;

# The path item for a path, literal ones first: (template, {name => value}).
sub find_path {
	my ($paths, $path, $admin) = @_;
	my $known = $templates{$admin ? 'admin' : 'public'} //= [map { [$_, s/\{id\}/(?<id>0|[1-9][0-9]{0,19})/r =~ s/\{user_id\}/(?<user_id>[^\/]+)/r =~ s/\{code\}/(?<code>[A-Za-z0-9_-]{1,32})/r
			=~ s/\{emoji\}/(?<emoji>[^\/]+)/r =~ s/\{media_id\}/(?<media_id>[0-9a-f]{32})/r =~ s/\{device_id\}/(?<device_id>(?!\\.{1,2}\\z)[A-Za-z0-9._\@:-]{1,64})/r =~ s/\{name\}/(?<name>[^\/]+)/r
			=~ s/\{session_id\}/(?<session_id>[0-9a-f]{11}[A-Za-z0-9_-]{8}[0-9a-f]{5})/r
			=~ s/\{pack\}/(?<pack>[A-Za-z0-9_-][A-Za-z0-9._-]{0,63})/r =~ s/\{picture\}/(?<picture>[0-9a-f]{32}\.(?:png|gif|jpg|webp))/r] }
		sort { ($a =~ /\{/) <=> ($b =~ /\{/) || $a cmp $b } grep { !$paths->{$_}{servers} == !$admin } keys %$paths];
	for (@$known) {
		my ($template, $regex) = @$_;
		next if $path !~ /\A$regex\z/;
		my %param = %+;
		defined $param{$_} and $param{$_} =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge for qw(user_id emoji);
		utf8::decode($param{emoji}) if defined $param{emoji};
		return ($template, \%param) if !defined $param{user_id} || $param{user_id} =~ /\A[A-Za-z0-9._\@:-]{1,64}\z/;
		return;
	}
	return;
}

# A text of a header or query as what its schema wants.
sub as_typed {
	my ($schema, $text) = @_;
	return ($schema->{type} // '') eq 'integer' && $text =~ /\A-?[0-9]+\z/ ? 0 + $text : $text;
}

sub header_faults {
	my ($root, $where, $response, $r) = @_;
	my @faults;
	for my $name (sort keys %{$response->{headers} // {}}) {
		my $header = deref($root, $response->{headers}{$name});
		# Lines of one name are one list (RFC 9110, 5.3).
		my $value = join ', ', $r->all($name);
		if ($r->all($name)) {
			my $schema = deref($root, $header->{schema});
			push @faults, map { "$name $_" } data_faults(closed_schemas(), "$where $name", $schema, as_typed($schema, $value));
		} elsif ($header->{required}) {
			push @faults, "$name is missing";
		}
	}
	return @faults;
}

sub response_faults {
	my ($root, $where, $responses, $r, $is_head) = @_;
	my $response = deref($root, $responses->{$r->status} // $responses->{default});
	$where .= ' ' . $r->status;
	my @faults = header_faults($root, $where, $response, $r);
	my ($type) = ($r->header('content-type') // '') =~ /\A([^;\s]*)/;
	my $content = $response->{content};
	return @faults, $type eq '' && $r->body eq '' ? () : "a body of '$type' is not documented" if !$content;
	return @faults if $type eq '' && $r->body eq '' && defined $r->header('tus-resumable');
	my $documented = $content->{$type} // $content->{'*/*'};
	return @faults, "Content-Type '$type' is not documented" if !$documented;
	return @faults if $is_head;
	my $is_json = $type =~ /(?<!nd)json\z/; # lines of it are a text
	push @faults, data_faults(closed_schemas(), $where, $documented->{schema}, $is_json ? $r->json : $r->body);
	push @faults, 'the status within is ' . $r->json->{status} if $type =~ /problem/ && $r->json->{status} ne $r->status;
	return @faults;
}

sub parameter_faults {
	my ($root, $where, $item, $op, $given) = @_;
	my @faults;
	for (@{$item->{parameters} // []}, @{$op->{parameters} // []}) {
		my $p = deref($root, $_);
		my ($text, $schema) = ($given->{$p->{in}}{lc $p->{name}}, deref($root, $p->{schema}));
		push @faults, "$p->{in} $p->{name} is missing" if $p->{required} && !defined $text;
		push @faults, map { "$p->{in} $p->{name} $_" } data_faults(open_schemas(), "$where $p->{in} $p->{name}", $schema, as_typed($schema, $text)) if defined $text;
	}
	return @faults;
}

sub request_faults {
	my ($where, $template, $method, $body, %given) = @_;
	my $root = open_schemas()->data;
	my $item = $root->{openapi}{paths}{$template};
	my $op = $item->{$method};
	my @faults = parameter_faults($root, $where, $item, $op, \%given);
	my $documented = deref($root, $op->{requestBody}) or return @faults;
	# It comes in another way, as raw bytes.
	return @faults if exists $given{header}{'transfer-encoding'} || exists $given{header}{expect};
	return @faults, $documented->{required} ? 'the body is missing' : () if $body eq '';
	my ($type) = lc($given{header}{'content-type'} // '') =~ /\A([^;\s]*)/;
	my $content = $documented->{content};
	return @faults, $content->{$type} || $content->{'*/*'} ? () : "Content-Type '$type' is not documented" if ($type ne '' && $type !~ /json\z/) || !$content->{'application/json'} || defined $given{query}{name};
	my $data = eval { $json->decode($body) } // return @faults, 'the body is not JSON';
	return @faults, data_faults(open_schemas(), "$where request", $documented->{content}{'application/json'}{schema}, $data);
}

sub query_of {
	my ($query) = @_;
	my %given;
	for (split /&/, $query // '') {
		my ($name, $value) = map { tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } split /=/, $_, 2;
		utf8::decode($value) if defined $value; # where it is that
		$given{$name} //= $value // '';
	}
	return \%given;
}

# The faults of one exchange. method, path (without http.prefix; empty: not below it), bytes (of the request), response; admin: on admin.listen.
sub exchange_faults {
	my (%e) = @_;
	my $r = $e{response};
	my $root = closed_schemas()->data;
	my ($path, $query) = $e{path} =~ /\A([^?]*)(?:\?(.*))?\z/s;
	# RFC 3986, 6.2.2.2: an unreserved character is the same encoded.
	$path =~ s/(%([0-9A-Fa-f]{2}))/my $c = chr hex $2; $c =~ m{[A-Za-z0-9._~-]} ? $c : $1/ge;
	my ($template, $param) = find_path($root->{openapi}{paths}, $path, $e{admin});
	# A preflight, or what the path can do; a file of http.docroot.
	return $r->body eq '' ? () : 'OPTIONS has a body' if $e{method} eq 'OPTIONS' && $r->status == 204;
	return if !defined $template && defined $r->header('etag');

	my $item = defined $template ? $root->{openapi}{paths}{$template} : {};
	# For clients that can only send POST.
	local $e{method} = $1 if $e{method} eq 'POST' && ($template // '') =~ m{\A/media/} && $e{bytes} =~ /^X-HTTP-Method-Override: (\w+)\r$/m;
	my $method = $e{method} eq 'HEAD' && !$item->{head} ? 'get' : lc $e{method};
	my $op = $item->{$method};
	my $common = $root->{openapi}{components}{responses};
	my $responses = $op ? $op->{responses} : {404 => $common->{NotFound}, default => $common->{Refused}};
	my $where = $op ? "$e{method} $template" : 'no operation';
	my @faults = response_faults($root, $where, $responses, $r, $e{method} eq 'HEAD');
	if ($op && $r->status < 300) {
		my ($head, $body) = split /\r\n\r\n/, $e{bytes}, 2;
		my %header = map { /\A([^:]+):\s*(.*)\z/ ? (lc $1, $2) : () } split /\r\n/, $head;
		push @faults, map { "request: $_" } request_faults($where, $template, $method, $body, path => $param, query => query_of($query), header => \%header);
	}
	return @faults;
}

# The faults of an answer to what may be any request, or none: some operation has to answer so.
sub answer_faults {
	my ($r) = @_;
	my $root = closed_schemas()->data;
	return if defined $r->header('etag') || $r->status == 204 && $r->body eq '';
	my ($paths, $common) = ($root->{openapi}{paths}, $root->{openapi}{components}{responses});
	my %may = ('no operation' => {404 => $common->{NotFound}, default => $common->{Refused}});
	for my $path (keys %$paths) {
		$may{"$_ $path"} = $paths->{$path}{$_}{responses} for grep { $paths->{$path}{$_} } qw(get head post put patch delete);
	}
	my @faults;
	for my $where (sort { ($b eq 'no operation') <=> ($a eq 'no operation') || $a cmp $b } keys %may) {
		next if !exists $may{$where}{$r->status} && !exists $may{$where}{default};
		@faults = response_faults($root, "raw $where", $may{$where}, $r);
		return if !@faults;
	}
	return @faults;
}

# ---- WebSocket ----

# The events of the server by type, the client's frames by type, and what may answer those.
my ($events, $frames, $answers);
sub load_frames {
	my $root = closed_schemas()->data;
	my $asyncapi = $root->{asyncapi};
	my $message = sub { my ($ref) = $_[0]{'$ref'} =~ m{([^/]+)\z}; return [$ref, deref($root, $_[0])] };
	for my $op (values %{$asyncapi->{operations}}) {
		my @sent = map { $message->($_) } $op->{action} eq 'send' ? @{$op->{messages}} : @{$op->{reply}{messages}};
		$events->{$_->[1]{name}}{$_->[0]} = $_->[1]{payload} for @sent;
		next if $op->{action} eq 'send';
		my ($asked) = map { $message->($_) } @{$op->{messages}};
		$frames->{$asked->[1]{name}} = open_schemas()->data->{asyncapi}{components}{messages}{$asked->[0]}{payload};
		$answers->{$asked->[1]{name}} = {map { $_->[0] => 1 } @sent};
	}
	return;
}

# asked: the bytes of the request that this answers.
sub event_faults {
	my ($event, $asked) = @_;
	load_frames() if !$events;
	my $may = $events->{$event->{type} // ''} or return 'this type is not documented';
	my $request = defined $asked ? $json->decode($asked) : undef;
	my $type = ref $request eq 'HASH' ? $request->{type} // '' : '';
	my @names = grep { !$answers->{$type} || $answers->{$type}{$_} } sort keys %$may;
	return "does not answer a $type" if !@names;
	my @faults;
	for (@names) {
		@faults = data_faults(closed_schemas(), $_, $may->{$_}, $event);
		last if !@faults;
	}
	return @faults if $event->{type} eq 'error' || !$frames->{$type};
	return @faults, map { "request: $_" } frame_faults($request);
}

# Of what a client has sent.
sub frame_faults {
	my ($frame) = @_;
	load_frames() if !$frames;
	my $type = ref $frame eq 'HASH' ? $frame->{type} // '' : '';
	return $frames->{$type} ? data_faults(open_schemas(), "frame $type", $frames->{$type}, $frame) : 'this type is not documented';
}

# ---- telling ----

my %told;
sub report {
	my ($what, $context, @faults) = @_;
	return if !@faults || $told{join "\n", $what, @faults}++;
	my $test = Test::Builder->new;
	$test->ok(0, "$what is as doc/ says");
	$test->diag(join "\n", map({ "  $_" } @faults), $context);
	return;
}

sub check_exchange {
	my (%e) = @_;
	my $r = $e{response};
	report("$e{method} $e{path}: " . $r->status, substr($e{bytes}, 0, 2000) . "\n" . substr($r->head . "\n" . $r->body, 0, 2000), exchange_faults(%e));
	return;
}

# Of bytes that were sent as they are.
sub check_answer {
	my ($r) = @_;
	report('an answer to raw bytes: ' . $r->status, substr($r->head . "\n" . $r->body, 0, 2000), answer_faults($r));
	return;
}

sub check_event {
	my ($event, $asked) = @_;
	report('the event ' . ($event->{type} // ''), ($asked // '') . "\n" . $json->encode($event), event_faults($event, $asked));
	return;
}

# A frame, as bytes, that nothing answers.
sub check_frame {
	my ($bytes) = @_;
	report('the frame', $bytes, frame_faults($json->decode($bytes)));
	return;
}

# A close that the server began.
sub check_close {
	my ($code) = @_;
	return if $code == 1005; # RFC 6455, 7.1.5: the frame has no code, as the one that it answers
	my $known = closed_schemas()->data->{asyncapi}{channels}{session}{'x-close-codes'};
	report("close code $code", '', grep({ $_->{code} == $code } @$known) ? () : 'is not documented');
	return;
}

1;
