// reputation_script.c: see reputation_script.h. Promises: a value that is none of ours counts as nothing and is replaced; what
// is written is exactly what core/reputation_*.c would write, as Lua's numbers are IEEE doubles and its ^ is pow.
//
// A script that is sent whole needs no server to be told first, whichever was restarted, or replaced by its replica.
#include "node/store/reputation_script.h"

#include <hiredis/hiredis.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/reply.h"

// ---- entities

// KEYS[1] the entity; ARGV: what is to be done, 1 of a root, half-life in seconds, now in seconds, 1 if it expires; then of add: reporter,
// active, 1 if spam, weight, strength; of undo: reporter; of volume: mails, 1 if it may be founded.
//
// s h at d (first day) v w (hour, week); I P H: reporters of the slots, and what they hold.
static const char ENTITY[] =
    "local A,D,F,fr,ld=ARGV,2^-20,math.floor,math.frexp,math.ldexp\n"
    "local what,root,half,now=A[1],A[2]=='1',tonumber(A[3]),tonumber(A[4])\n"
    "local n=root and 16 or 4\n"
    "local pack,unpack,sub=struct.pack,struct.unpack,string.sub\n"
    "local s,h,at,d,v,w,I,P,H=0,0,0,0,0,0,{},{},{}\n"
    "local function ok(x) return x==0 and 1/x>0 or x>=D and x<=1e15 end\n"
    "local old=redis.call('GET',KEYS[1])\n"
    "local is=old and #old==(root and 318 or 44) and old:byte(1)==(root and 2 or 1)\n"
    "if is then\n"
    " if root then\n"
    "  s,h,at,d=unpack('>ddI4I2',old,2)\n"
    "  v,w=unpack('>ff',sub(old,24,26)..'\\0'..sub(old,27,30))\n"
    "  for i=1,n do I[i],P[i],H[i]=unpack('>I2dd',old,13+18*i) is=is and ok(P[i]) and ok(H[i]) "
    "end\n"
    " else\n"
    "  "
    "s,h,v=unpack('>ddf',sub(old,2,6)..'\\0\\0\\0'..sub(old,7,11)..'\\0\\0\\0'..sub(old,18,20)..'"
    "\\0')\n"
    "  at,d=unpack('>I4I2',old,12)\n"
    "  w,I[1],P[1],I[2],P[2],I[3],P[3],I[4],P[4]=unpack('>fI2I3I2I3I2I3I2I3',old,21)\n"
    "  for i=1,4 do local b=P[i] local low=b%4096 P[i],H[i]=(b-low)/524288,low/128 end\n"
    " end\n"
    " is=is and ok(s) and ok(h) and ok(v) and ok(w)\n"
    " for i=1,n do is=is and (I[i]>0 or P[i]+H[i]==0) end\n"
    "end\n"
    "if not is then\n"
    " s,h,at,d,v,w=0,0,0,0,0,0\n"
    " for i=1,n do I[i],P[i],H[i]=0,0,0 end\n"
    "end\n"
    "local function decay()\n"
    " if now<=at then return end\n"
    " local past=now-at\n"
    " local k=2^(-past/half)\n"
    " if at==0 then d=F(now/86400)%65536 end\n"
    " s,h,v,w=s*k,h*k,v*2^(-past/3600),w*2^(-past/604800)\n"
    " for i=1,n do P[i],H[i]=P[i]*k,H[i]*k end\n"
    " at=now\n"
    "end\n"
    "local function round(x,bits)\n"
    " if not(x>=D) then return 0 end\n"
    " local f,e=fr(x)\n"
    " return bits==53 and x or ld(F(ld(f,bits)+0.5),e-bits)\n"
    "end\n"
    "local function parts(x,place)\n"
    " x=F(x*128+(40503*at+24109*place)%65536/65536)\n"
    " return x<4095 and x or 4095\n"
    "end\n"
    "local function put()\n"
    " local b=root and 53 or 29\n"
    " s,h=round(s,b),round(h,b)\n"
    " v,w=round(v,16),round(w,24)\n"
    " for i=1,n do if I[i]==0 then P[i],H[i]=0,0 end end\n"
    " local new\n"
    " if root then\n"
    "  new={pack('>BddI4I2',2,s,h,at,d),sub(pack('>f',v),1,3),pack('>f',w)}\n"
    "  for i=1,n do new[i+3]=pack('>I2dd',I[i],round(P[i],b),round(H[i],b)) end\n"
    "  new=table.concat(new)\n"
    " else\n"
    "  new=pack('>ddf',s,h,v)\n"
    "  "
    "new='\\1'..sub(new,1,5)..sub(new,9,13)..pack('>I4I2',at,d)..sub(new,17,19)..pack('>"
    "fI2I3I2I3I2I3I2I3',w,\n"
    "   I[1],parts(P[1],0)*4096+parts(H[1],1),I[2],parts(P[2],2)*4096+parts(H[2],3),\n"
    "   I[3],parts(P[3],4)*4096+parts(H[3],5),I[4],parts(P[4],6)*4096+parts(H[4],7))\n"
    " end\n"
    " if A[5]=='1' then\n"
    "  redis.call('SET',KEYS[1],new,'EX',math.ceil(half*math.log(8*math.max(1,s+h))/math.log(2)))\n"
    " else redis.call('SET',KEYS[1],new) end\n"
    " return new\n"
    "end\n"
    "if what=='volume' then\n"
    " if not is and A[7]=='0' then return 0 end\n"
    " decay() v,w=v+tonumber(A[6]),w+tonumber(A[6]) put() return 1\n"
    "end\n"
    "local who=tonumber(A[6])\n"
    "if what=='undo' then\n"
    " for i=1,n do if I[i]==who and who>0 and P[i]+H[i]>0 then\n"
    "  decay() s,h=math.max(0,s-P[i]),math.max(0,h-H[i]) I[i]=0 put() return 1\n"
    " end end\n"
    " return 0\n"
    "end\n"
    "decay()\n"
    "local G,spam,want,m=tonumber(A[7]),A[8]=='1',tonumber(A[9]),tonumber(A[10])\n"
    "local held,slot=s+h,nil\n"
    "for i=1,n do if I[i]==who then slot=i break end end\n"
    "if not slot then for i=1,n do if I[i]==0 then slot=i break end end end\n"
    "if not slot then slot=1 for i=2,n do if P[i]+H[i]<P[slot]+H[slot] then slot=i end end end\n"
    "local own=P[slot]+H[slot]\n"
    "local add,cap=want,0\n"
    "if G>2 then\n"
    " local share=math.max(2/G,1/3)\n"
    " local room=math.max(0,math.max(8,share/(1-share)*math.max(0,held-own))-own)\n"
    " if want>room then add,cap=room,1 end\n"
    "end\n"
    "if not root and add>32 then add=32 end\n"
    "if who==0 or not(add>0) then return {'0','0',cap} end\n"
    "if not root and held+add>32 then\n"
    " local k=(32-add)/held\n"
    " s,h=s*k,h*k\n"
    " for i=1,n do P[i],H[i]=P[i]*k,H[i]*k end\n"
    "end\n"
    "I[slot]=who\n"
    "if spam then P[slot],s=P[slot]+add,s+add else H[slot],h=H[slot]+add,h+add end\n"
    "local new=put()\n"
    "local on=root and 0 or add*m/(held+m)\n"
    "if on<0.001 then on=0 end\n"
    "return {string.format('%.17g',add),string.format('%.17g',on),cap,new}\n";

// KEYS: the hash of this period, of the one before, and of the one after, in which a node whose clock is a little ahead may be; ARGV: field,
// claim, moment of expiry (0: none).
static const char CLAIM[] = "for i=1,3 do\n"
                            " local has=redis.call('HGET',KEYS[i],ARGV[1])\n"
                            " if has then return has==ARGV[2] and 1 or 0 end\n"
                            "end\n"
                            "redis.call('HSET',KEYS[1],ARGV[1],ARGV[2])\n"
                            "if ARGV[3]~='0' then redis.call('EXPIREAT',KEYS[1],ARGV[3]) end\n"
                            "return 1\n";

// ---- how they are sent

static const struct {
    const char *text;
    size_t len;
} SCRIPTS[SCRIPT_COUNT] = {
    [SCRIPT_ENTITY] = {ENTITY, sizeof(ENTITY) - 1},
    [SCRIPT_CLAIM] = {CLAIM, sizeof(CLAIM) - 1},
};

static void begin_script(struct resp *resp, enum script script, const struct script_how *how)
{
    const char *name = how->names != NULL ? how->names->of[script] : "";

    resp_begin(resp, name[0] != '\0' ? "EVALSHA" : "EVAL");
    if (name[0] != '\0')
        resp_text(resp, name);
    else
        resp_bytes(resp, SCRIPTS[script].text, SCRIPTS[script].len);
}

void script_put_load(struct resp *resp, enum script script)
{
    resp_begin(resp, "SCRIPT");
    resp_text(resp, "LOAD");
    resp_bytes(resp, SCRIPTS[script].text, SCRIPTS[script].len);
}

bool script_take_name(const struct redisReply *reply, char out[SCRIPT_NAME_MAX])
{
    if (!reply_is_text(reply) || reply->len != SCRIPT_NAME_MAX - 1 ||
        strspn(reply->str, "0123456789abcdef") != reply->len)
        return false;
    memcpy(out, reply->str, SCRIPT_NAME_MAX);
    return true;
}

static void put_real(struct resp *resp, double number)
{
    char text[40];

    (void)snprintf(text, sizeof(text), "%.17g", number);
    resp_text(resp, text);
}

static void put_flag(struct resp *resp, bool is)
{
    resp_text(resp, is ? "1" : "0");
}

static void put_entity(struct resp *resp, const char *what, const char *key,
                       const struct reputation_level_settings *level, uint32_t now_s,
                       const struct script_how *how)
{
    struct reputation_id id;

    begin_script(resp, SCRIPT_ENTITY, how);
    resp_number(resp, 1);
    resp_text(resp, key);
    resp_text(resp, what);
    put_flag(resp, reputation_id_read(key, &id) && reputation_is_root(id.kind));
    put_real(resp, (double)level->half_life_ms / 1000);
    resp_number(resp, now_s);
    put_flag(resp, how->keeps);
}

void script_put_add(struct resp *resp, const char *key,
                    const struct reputation_level_settings *level,
                    const struct reputation_report *report, const struct script_how *how)
{
    put_entity(resp, "add", key, level, report->now_s, how);
    resp_number(resp, report->reporter);
    resp_number(resp, report->active);
    put_flag(resp, report->is_spam);
    put_real(resp, report->weight);
    put_real(resp, level->strength);
}

// A number as the script prints it.
static bool take_real(const struct redisReply *reply, double *out)
{
    char *end = NULL;

    if (!reply_is_text(reply) || reply->len == 0)
        return false;
    *out = strtod(reply->str, &end);
    return *end == '\0' && isfinite(*out) && *out >= 0;
}

bool script_take_add(const struct redisReply *reply, struct script_added *out)
{
    struct script_added taken = {.value = NULL};

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 ||
        !take_real(reply->element[0], &taken.added.added) ||
        !take_real(reply->element[1], &taken.added.onward) || !reply_is_integer(reply->element[2]))
        return false;
    taken.added.at_cap = reply->element[2]->integer != 0;
    if (reply->elements > 3 && reply_is_text(reply->element[3]))
        taken.value = reply->element[3];
    *out = taken;
    return true;
}

void script_put_undo(struct resp *resp, const char *key,
                     const struct reputation_level_settings *level, uint16_t reporter,
                     uint32_t now_s, const struct script_how *how)
{
    put_entity(resp, "undo", key, level, now_s, how);
    resp_number(resp, reporter);
}

void script_put_volume(struct resp *resp, const char *key,
                       const struct reputation_level_settings *level,
                       const struct script_volume *volume, const struct script_how *how)
{
    put_entity(resp, "volume", key, level, volume->now_s, how);
    put_real(resp, volume->mails);
    put_flag(resp, volume->founds);
}

// ---- events

enum { EVENT_BUCKETS = 1 << 17, EVENT_HASH_BYTES = 16, EVENT_FIELD_BYTES = 8, EVENT_KEYS = 3 };

static void put_event_key(struct resp *resp, uint32_t bucket, uint64_t period)
{
    char key[48];

    (void)snprintf(key, sizeof(key), "e:{%u}:%llu", bucket, (unsigned long long)period);
    resp_text(resp, key);
}

void script_put_claim(struct resp *resp, const char *event, uint32_t claim, uint64_t now_ms,
                      const struct script_how *how)
{
    const uint64_t period = now_ms / SCRIPT_EVENT_MS;
    const uint64_t expiry_ms = (period + 2) * SCRIPT_EVENT_MS;
    uint8_t hash[EVENT_HASH_BYTES];
    uint32_t bucket = 0;

    (void)crypto_generichash(hash, sizeof(hash), (const uint8_t *)event, strlen(event), NULL, 0);
    memcpy(&bucket, hash + EVENT_FIELD_BYTES, sizeof(bucket));
    bucket %= EVENT_BUCKETS;
    begin_script(resp, SCRIPT_CLAIM, how);
    resp_number(resp, EVENT_KEYS);
    put_event_key(resp, bucket, period);
    put_event_key(resp, bucket, period > 0 ? period - 1 : 0);
    put_event_key(resp, bucket, period + 1);
    resp_bytes(resp, hash, EVENT_FIELD_BYTES);
    resp_bytes(resp, &claim, sizeof(claim));
    resp_number(resp, how->keeps ? expiry_ms / 1000 : 0);
}

// ---- gateways

// KEYS[1] the hash; ARGV: name, now in ms, life of the hash in seconds (0: none), most rows, half-life of the counts in ms, 1 to pardon, spam,
// ham, comparisons of ham, agreements, disagreements, the same of spam.
static const char GATEWAY[] =
    "local A,row={},{}\n"
    "for i=2,#ARGV do A[i]=tonumber(ARGV[i]) end\n"
    "for x in string.gmatch(redis.call('HGET',KEYS[1],ARGV[1]) or '','%S+') do\n"
    " row[#row+1]=tonumber(x) or 0\n"
    "end\n"
    "if #row~=8 then\n"
    " if redis.call('HLEN',KEYS[1])>A[4] then return false end\n"
    " local id,all,used=tonumber(redis.call('HGET',KEYS[1],'') or 0) or 0,\n"
    "  redis.call('HGETALL',KEYS[1]),{}\n"
    " for i=2,#all,2 do used[tonumber(string.match(all[i],'^%d+')) or 0]=true end\n"
    " repeat id=id%65535+1 until not used[id]\n"
    " redis.call('HSET',KEYS[1],'',string.format('%d',id))\n"
    " row={id,0,0,0,0,0,0,0}\n"
    "end\n"
    "if A[2]>row[2] then\n"
    " local k=2^(-(A[2]-row[2])/A[5])\n"
    " row[2],row[3],row[4]=A[2],row[3]*k,row[4]*k\n"
    "end\n"
    "row[3],row[4]=row[3]+A[7],row[4]+A[8]\n"
    "for c=0,1 do\n"
    " local k=0.998^A[9+3*c]\n"
    " row[5+2*c],row[6+2*c]=row[5+2*c]*k+A[10+3*c],row[6+2*c]*k+A[11+3*c]\n"
    "end\n"
    "if A[6]==1 then row={row[1],row[2],0,0,0,0,0,0} end\n"
    "local new=string.format('%d %.0f',row[1],row[2])\n"
    "for i=3,8 do new=new..string.format(' %.17g',row[i]) end\n"
    "redis.call('HSET',KEYS[1],ARGV[1],new)\n"
    "if A[3]>0 then redis.call('EXPIRE',KEYS[1],A[3]) end\n"
    "return new\n";

static const double COUNTS_HALF_LIFE_MS = 30.0 * 24 * 3600 * 1000;
static const double RECORD_KEPT = 0.998; // as reputation_record_note
static const uint64_t DAY_MS = 24ULL * 3600 * 1000;

static void put_gateway(struct resp *resp, const char *name, const struct script_news *news,
                        bool pardons, bool keeps)
{
    resp_begin(resp, "EVAL");
    resp_bytes(resp, GATEWAY, sizeof(GATEWAY) - 1);
    resp_number(resp, 1);
    resp_text(resp, SCRIPT_GATEWAYS);
    resp_text(resp, name);
    resp_number(resp, news->last_ms);
    resp_number(resp, keeps ? (SCRIPT_GATEWAY_LIFE_MS + DAY_MS) / 1000 : 0);
    resp_number(resp, SCRIPT_GATEWAYS_MAX);
    put_real(resp, COUNTS_HALF_LIFE_MS);
    put_flag(resp, pardons);
    put_real(resp, news->spam);
    put_real(resp, news->ham);
    for (unsigned class = 0; class < 2; class ++) {
        resp_number(resp, news->judged[class]);
        put_real(resp, news->record.agreed[class]);
        put_real(resp, news->record.disagreed[class]);
    }
}

void script_put_gateway(struct resp *resp, const char *name, const struct script_news *news,
                        bool keeps)
{
    put_gateway(resp, name, news, false, keeps);
}

void script_put_pardon(struct resp *resp, const char *name, uint64_t now_ms, bool keeps)
{
    const struct script_news news = {.last_ms = now_ms};

    put_gateway(resp, name, &news, true, keeps);
}

// A number that is finite and not negative, and the blank or the end behind it.
static bool read_real(const char **text, double *out)
{
    char *end = NULL;

    *out = strtod(*text, &end);
    if (end == *text || (*end != ' ' && *end != '\0') || !isfinite(*out) || *out < 0)
        return false;
    *text = *end == ' ' ? end + 1 : end;
    return true;
}

bool script_row_read(const char *value, struct store_reporter *out)
{
    static const double ID_MAX = REPUTATION_REPORTERS - 1, MOMENT_MAX = 281474976710656.0; // 2^48
    double number[8];

    for (unsigned i = 0; i < 8; i++)
        if (!read_real(&value, &number[i]))
            return false;
    if (*value != '\0' || number[0] < 1 || number[0] > ID_MAX || number[0] != floor(number[0]) ||
        number[1] > MOMENT_MAX)
        return false;
    out->id = (uint16_t)number[0];
    out->last_ms = (uint64_t)number[1];
    out->spam = number[2];
    out->ham = number[3];
    for (unsigned class = 0; class < 2; class ++) {
        out->record.agreed[class] = number[4 + 2 * class];
        out->record.disagreed[class] = number[5 + 2 * class];
    }
    out->trust = reputation_trust(&out->record);
    return true;
}

void script_merge(struct reputation_record *record, const struct script_news *news)
{
    for (unsigned class = 0; class < 2; class ++) {
        const double kept = pow(RECORD_KEPT, news->judged[class]);

        record->agreed[class] = record->agreed[class] * kept + news->record.agreed[class];
        record->disagreed[class] = record->disagreed[class] * kept + news->record.disagreed[class];
    }
}

void script_decay_counts(struct store_reporter *row, uint64_t now_ms)
{
    const double kept =
        now_ms > row->last_ms ? pow(2, -(double)(now_ms - row->last_ms) / COUNTS_HALF_LIFE_MS) : 1;

    row->spam *= kept;
    row->ham *= kept;
}
